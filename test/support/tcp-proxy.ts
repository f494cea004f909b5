import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { timer } from 'rxjs';

/** The way from the client to the server, and back. */
export type Direction = 'up' | 'down';

/** A TCP proxy on loopback whose network can be broken. */
export interface TestProxy {
  readonly url: string;
  /**
   * Nothing passes in this direction any more, of connections old and new, and nobody is told: not even that one end
   * has closed. As on a broken network, what was sent is kept by the sender's system and arrives after `heal`.
   */
  blackhole(direction: Direction): void;
  /** Everything takes this much longer in each direction. */
  delay(ms: number): void;
  /** Breaks all connections, and all new ones until `heal`. */
  cut(): void;
  /** From now on everything passes; broken connections stay broken. */
  heal(): void;
  close(): Promise<void>;
}

interface Lane {
  readonly from: Socket;
  readonly to: Socket;
  readonly direction: Direction;
}

/** @param target such as `nats://127.0.0.1:4222`; the proxy's address has the same scheme */
export async function startProxy(target: string): Promise<TestProxy> {
  const { protocol, hostname, port } = new URL(target);
  const lanes = new Set<Lane>();
  const closed = new Set<Direction>();
  let isCut = false;
  let delayMs = 0;

  const server = createServer((client) => {
    if (isCut) {
      client.destroy();
      return;
    }
    const upstream = connect({ host: hostname, port: Number(port) });
    link({ from: client, to: upstream, direction: 'up' });
    link({ from: upstream, to: client, direction: 'down' });
  });

  function link(lane: Lane): void {
    const { from, to, direction } = lane;
    lanes.add(lane);
    if (closed.has(direction)) from.pause();
    from.on('data', (chunk) => after(delayMs, () => to.writable && to.write(chunk)));
    // What ends a connection is as invisible as what it says.
    const ended = () => {
      if (closed.has(direction)) return;
      lanes.delete(lane);
      after(delayMs, () => to.destroy());
    };
    from.on('end', ended);
    from.on('close', ended);
    from.on('error', () => from.destroy());
  }

  function destroyAll(): void {
    for (const { from } of lanes) from.destroy();
    lanes.clear();
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: ownPort } = server.address() as { port: number };
  return {
    url: `${protocol}//127.0.0.1:${ownPort}`,
    blackhole(direction) {
      closed.add(direction);
      for (const lane of lanes) if (lane.direction === direction) lane.from.pause();
    },
    delay(ms) {
      delayMs = ms;
    },
    cut() {
      isCut = true;
      destroyAll();
    },
    heal() {
      isCut = false;
      delayMs = 0;
      closed.clear();
      for (const lane of lanes) {
        if (!lane.from.destroyed) lane.from.resume();
        else if (lanes.delete(lane)) lane.to.destroy();
      }
    },
    async close() {
      const done = new Promise((resolve) => server.close(resolve));
      destroyAll();
      await done;
    },
  };
}

function after(ms: number, act: () => void): void {
  if (ms === 0) act();
  else timer(ms).subscribe(act);
}
