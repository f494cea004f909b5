const REMEDIES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'in use; stop the other program or choose another with --port',
  EACCES: 'not allowed; choose one above 1023 with --port',
  EADDRNOTAVAIL: 'this machine has no such address; choose one it has with --listen-ip',
};

/** libp2p tells of a failed socket in many lines; this says it in one. `null` when it was something else. */
export function listenError(error: unknown, listenIp: string, port: number): Error | null {
  const code = /\b(EADDRINUSE|EACCES|EADDRNOTAVAIL)\b/.exec(String(error))?.[0];
  if (code === undefined) return null;
  const message = `cannot listen on ${listenIp}, UDP and TCP port ${port}: ${REMEDIES[code]}`;
  return new Error(message, { cause: error });
}
