import { describe, expect, it } from 'vitest';
import { checkIp6Port } from '../../src/commands/settings.ts';

describe('--port on a host with IPv6', () => {
  it.each([
    [65_445, undefined, true, null],
    [65_446, undefined, true, '--port must be at most 65445'],
    [65_534, undefined, true, '--port must be at most 65445'],
    [65_534, '127.0.0.1', true, null],
    [65_534, undefined, false, null],
    [undefined, undefined, true, null],
  ])('%s at %s, with IPv6 %s', (port, listenIp, hasIp6, refusal) => {
    const check = () => checkIp6Port({ port, listenIp, hasIp6 });
    if (refusal === null) expect(check).not.toThrow();
    else expect(check).toThrow(refusal);
  });
});
