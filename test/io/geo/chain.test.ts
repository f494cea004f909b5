import { lastValueFrom } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { geoChain } from '../../../src/io/geo/chain.ts';
import {
  type Located,
  type Location,
  LocatorUnavailableError,
  NOWHERE,
} from '../../../src/streams/ports/geo-locator.ts';
import { fakeLocator, network, place, recordingLogger, silent } from '../../support/geo/locators.ts';

function located(locators: Parameters<typeof geoChain>[0], ip = '8.8.8.8'): Promise<Located> {
  return lastValueFrom(geoChain(locators, silent).locate(ip));
}

const unavailable = (retryAfterMs: number) => async (): Promise<Location> => {
  throw new LocatorUnavailableError('not now', retryAfterMs);
};

describe('sources one after the other', () => {
  it('give each part from the first that knows it', async () => {
    const first = fakeLocator('first', () => place('DE', 'Berlin'));
    const second = fakeLocator('second', () => ({ ...place('FR', 'Paris'), ...network(3320, 'Telekom'), place: null }));
    const third = fakeLocator('third', () => ({ ...place('US'), ...network(1), hostname: 'x.example' }));
    const { location, sources } = await located([first, second, third]);
    expect(location.place).toMatchObject({ country: 'DE', city: 'Berlin' });
    expect(location.network).toMatchObject({ asn: 3320 });
    expect(sources).toEqual(['first', 'second']);
    expect(third.asked).toEqual([]);
  });

  it('never mix two places', async () => {
    const { location } = await located([
      fakeLocator('country', () => place('DE')),
      fakeLocator('city', () => place('FR', 'Paris')),
    ]);
    expect(location.place).toMatchObject({ country: 'DE', city: null });
  });

  it('are asked only for what they are for, and give what else they know', async () => {
    const paid = fakeLocator('paid', () => ({ ...place('US'), hostname: 'paid.example' }));
    const names = fakeLocator('names', () => ({ ...NOWHERE, hostname: 'name.example' }), { parts: ['hostname'] });
    const free = fakeLocator('free', () => ({ ...place('DE'), ...network(1), place: place('DE').place }));
    expect((await located([free, paid, names])).location.hostname).toBe('name.example');
    expect(paid.asked).toEqual([]);
    expect((await located([paid, names])).location.hostname).toBe('paid.example');
    expect(names.asked).toHaveLength(1);
  });

  it('are asked about an address in its one form, and about nothing else', async () => {
    const source = fakeLocator('source', () => place('DE'));
    for (const ip of ['::FFFF:8.8.8.8', '2001:DB8:0::1', '8.8.8.8', 'localhost', '', '8.8.8'])
      await located([source], ip);
    expect(source.asked).toEqual(['8.8.8.8', '2001:db8::1', '8.8.8.8']);
  });

  it('get the kind of network from its name unless one says it', async () => {
    const named = fakeLocator('named', () => network(4_200_000_000, 'Example University'));
    expect((await located([named])).location.network?.type).toBe('education');
    const typed = fakeLocator('typed', () => ({
      ...NOWHERE,
      network: { asn: 4_200_000_000, organization: 'Example University', type: 'isp' as const },
    }));
    expect((await located([typed])).location.network?.type).toBe('isp');
  });

  it('tell what is wrong with them as long as it is', async () => {
    let isDown = true;
    const shaky = fakeLocator('shaky', async (ip) => (isDown ? unavailable(5_000)() : place('DE', ip)));
    const chain = geoChain([shaky], silent, ['the data are not installed']);
    expect(chain.problems()).toEqual(['the data are not installed']);
    for (const ip of ['8.8.8.8', '8.8.4.4']) await lastValueFrom(chain.locate(ip));
    expect(chain.problems()).toEqual(['the data are not installed', 'shaky: not now']);
    isDown = false;
    await lastValueFrom(chain.locate('8.8.8.8'));
    expect(chain.problems()).toEqual(['the data are not installed']);
  });

  it('go on when one cannot answer; what it was asked for is provisional', async () => {
    const down = fakeLocator('down', unavailable(5_000));
    const answer = await located([down, fakeLocator('up', () => place('DE'))]);
    expect(answer.location.place?.country).toBe('DE');
    expect(answer.provisional).toEqual(['place', 'network']);
    expect(answer.maxAgeMs).toBe(5_000);
    expect(answer.sources).toEqual(['up']);
  });

  it('go on when one is broken, and say so once until it works again', async () => {
    const { logger, lines } = recordingLogger();
    let isBroken = true;
    const source = fakeLocator('source', () => {
      if (isBroken) throw new TypeError('corrupt');
      return place('DE');
    });
    const chain = geoChain([source], logger);
    for (const ip of ['1.1.1.1', '1.1.1.2']) {
      expect(await lastValueFrom(chain.locate(ip))).toMatchObject({
        location: NOWHERE,
        provisional: ['place', 'network'],
      });
    }
    expect(lines).toHaveLength(1);
    isBroken = false;
    expect((await lastValueFrom(chain.locate('1.1.1.1'))).provisional).toEqual([]);
    isBroken = true;
    await lastValueFrom(chain.locate('1.1.1.1'));
    expect(lines).toHaveLength(2);
  });

  it('give an answer that holds as long as the shortest of theirs', async () => {
    const age = (name: string, maxAgeMs: number | null) => fakeLocator(name, () => NOWHERE, { maxAgeMs });
    expect((await located([age('a', null)])).maxAgeMs).toBe(null);
    expect((await located([age('a', null), age('b', 500), age('c', 300)])).maxAgeMs).toBe(300);
  });

  it('are given up together', async () => {
    let signal: AbortSignal | undefined;
    const slow = fakeLocator('slow', () => NOWHERE, {
      locate: (_, given) => {
        signal = given;
        return new Promise(() => {});
      },
    });
    const asking = geoChain([slow], silent).locate('8.8.8.8').subscribe();
    await vi.waitFor(() => expect(signal).toBeDefined());
    asking.unsubscribe();
    expect(signal?.aborted).toBe(true);
  });

  it('thank each once', () => {
    const thanks = { text: 'by X', url: 'https://x.example' };
    const sources = ['a', 'b'].map((name) => fakeLocator(name, () => NOWHERE, { attributions: [thanks] }));
    expect(geoChain(sources, silent).attributions).toEqual([thanks]);
  });
});

describe('the version of an answer', () => {
  it('holds as long as the sources that were asked have the same data', async () => {
    const versions = { a: '1', b: '1' };
    const a = fakeLocator('a', () => ({ ...place('DE'), ...network(1), place: place('DE').place }), {
      version: async () => versions.a,
    });
    const b = fakeLocator('b', () => NOWHERE, { version: async () => versions.b });
    const chain = geoChain([a, b], silent);
    const { version } = await lastValueFrom(chain.locate('8.8.8.8'));
    expect(await chain.validVersions()).toContain(version);
    versions.b = '2';
    expect(await chain.validVersions()).toContain(version);
    versions.a = '2';
    expect(await chain.validVersions()).not.toContain(version);
    expect(await chain.validVersions()).toContain((await lastValueFrom(chain.locate('8.8.8.8'))).version);
  });

  it('does not hold for other sources or another order', async () => {
    const [a, b] = ['a', 'b'].map((name) => fakeLocator(name, () => place('DE')));
    const { version } = await located([a, b] as never);
    for (const others of [[b, a], [a], [b]]) {
      expect(await geoChain(others as never, silent).validVersions()).not.toContain(version);
    }
  });
});
