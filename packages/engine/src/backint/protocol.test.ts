import { expect, it } from 'vitest';
import { parseInput } from './parse-input.ts';
import { answeredVersion, backupLine, itemLine, savedLine } from './replies.ts';
import { quoteWord, splitWords } from './words.ts';

it('reads words with quotes, spaces and backslashes', () => {
  const values = (line: string) => splitWords(line).map((word) => word.value);
  expect(values('#PIPE /a  "/b c" "x \\"y\\" z"')).toEqual(['#PIPE', '/a', '/b c', 'x "y" z']);
  expect(values('"a\\b" "c\\\\d" "e\\" "f"')).toEqual(['a\\b', 'c\\\\d', 'e\\', 'f']);
  expect(values('')).toEqual([]);
  for (const broken of ['"a', '"a"b', 'x "'])
    expect(() => splitWords(broken)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
});

it('writes words so that they are read back', () => {
  for (const value of ['/a', 'a b', 'a"b', '"', 'a\\', 'a\\b c', 'ü %2F']) {
    expect(splitWords(`#X ${quoteWord(value)} "y"`).map((word) => word.value)).toEqual(['#X', value, 'y']);
  }
});

it('reads the input of each function, and takes other lines for comments', () => {
  const text = '#SOFTWAREID "backint 1.50" "HANA HDB server 2.00"\r\n# a comment\n"#PIPE"\n\n';
  expect(parseInput(`${text}#PIPE "/a b" 123\n#FILE /c\n#NEW "`, 'backup')).toEqual({
    version: '1.50',
    items: [
      { ebid: null, file: { raw: '"/a b"', value: '/a b' }, destination: null },
      { ebid: null, file: { raw: '/c', value: '/c' }, destination: null },
    ],
  });
  const asked = parseInput(`${text}#EBID "1" /a /b\n#NULL /a`, 'restore').items;
  expect(asked.map((item) => [item.ebid, item.file?.value, item.destination])).toEqual([
    ['1', '/a', '/b'],
    [null, '/a', null],
  ]);
  const inquired = parseInput('#NULL\n#NULL /a\n#EBID 1\n#EBID 1 /a', 'inquire');
  expect(inquired.version).toBe(null);
  expect(inquired.items.map((item) => [item.ebid, item.file?.value])).toEqual([
    [null, undefined],
    [null, '/a'],
    ['1', undefined],
    ['1', '/a'],
  ]);
});

it('refuses lines with a known keyword that it does not understand', () => {
  const backup = ['#PIPE', '#PIPE /a b', '#PIPE /a 1 2', '#PIPE ""', '#EBID 1 /a', '#NULL', '#PIPE \ufffd'];
  for (const line of [...backup, '#SOFTWAREID "other 1.0"']) {
    expect(() => parseInput(line, 'backup'), line).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
  }
  expect(() => parseInput('#EBID 1', 'restore')).toThrow();
  expect(() => parseInput('#NULL /a', 'delete')).toThrow();
});

it('answers in the version of the caller, at most 1.50, with times from there on', () => {
  expect([null, '1.0', '1.04', '1.5', '1.50', '1.51', '2.0'].map(answeredVersion)).toEqual([
    '1.04',
    '1.0',
    '1.04',
    '1.5',
    '1.50',
    '1.50',
    '1.50',
  ]);
  const backup = { ebid: '1', file: '/a b', createdAt: new Date(0) };
  expect(backupLine('1.04', backup)).toBe('#BACKUP "1" "/a b"');
  expect(backupLine('1.50', backup)).toBe('#BACKUP "1" "/a b" "1970-01-01T00:00:00.000Z"');
  expect(savedLine('1', { raw: '/a', value: '/a' }, 7)).toBe('#SAVED "1" /a 7');
  expect(itemLine('#NOTFOUND', null, null)).toBe('#NOTFOUND');
});
