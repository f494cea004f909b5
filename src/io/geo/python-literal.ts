const STRING = String.raw`'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"`;
const PAIR = new RegExp(String.raw`\s*(?:${STRING})\s*:\s*(?:${STRING}|([^\s,{}'"]+))\s*([,}])`, 'sy');

/**
 * A flat dictionary as Python prints it, `{'asn': 'AS16509', 'name': "O'Reilly", 'route': nan}`, or as JSON has it. Values
 * that are not strings come as the text they are; `nan`, `None`, `null` and the like are left out. Anything else is `null`.
 */
export function readDictionary(text: string): Record<string, string> | null {
  const start = /^\s*\{/.exec(text);
  if (start === null) return null;
  if (/^\s*\{\s*\}\s*$/.test(text)) return {};
  const pairs: [string, string][] = [];
  PAIR.lastIndex = start[0].length;
  while (true) {
    const match = PAIR.exec(text);
    if (match === null) return null;
    const [, key1, key2, value1, value2, bare] = match;
    const value = value1 ?? value2;
    if (value !== undefined) pairs.push([unescaped(key1 ?? key2 ?? ''), unescaped(value)]);
    else if (bare !== undefined && !NOTHING.has(bare.toLowerCase())) pairs.push([unescaped(key1 ?? key2 ?? ''), bare]);
    if (match[6] === '}') {
      const isWhole = text.slice(match.index + match[0].length).trim() === '';
      // fromEntries defines own properties, so that a key of `__proto__` is one like any other.
      return isWhole ? Object.fromEntries(pairs) : null;
    }
  }
}

const NOTHING: ReadonlySet<string> = new Set(['nan', 'none', 'null']);

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f' };

function unescaped(text: string): string {
  return text.replace(/\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))/gs, (_, hex2, hex4, character) => {
    const hex: string | undefined = hex2 ?? hex4;
    return hex === undefined ? (ESCAPES[character] ?? character) : String.fromCharCode(Number.parseInt(hex, 16));
  });
}
