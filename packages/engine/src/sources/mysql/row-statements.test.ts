import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DumpScanner } from './dump-scanner.ts';
import { RowStatements } from './row-statements.ts';

const BEGIN = '-- MariaDB dump\n/*!40000 ALTER TABLE `t` DISABLE KEYS */;\n';
const END = '/*!40000 ALTER TABLE `t` ENABLE KEYS */;\n\n-- Dump completed\n';
type Style = 'lines' | 'words';

/** Rows as the programs write them, `perStatement` at a time; MariaDB begins a line for each, MySQL does not. */
function dumpOf(rows: readonly string[], perStatement: number, style: Style): string {
  const [before, between] = style === 'lines' ? ['\n', ',\n'] : [' ', ','];
  let text = BEGIN;
  for (let at = 0; at < rows.length; at += perStatement) {
    text += `INSERT INTO \`t\` VALUES${before}${rows.slice(at, at + perStatement).join(between)};\n`;
  }
  return text + END;
}

function cut(text: string, size = 4096): string {
  const scanner = new DumpScanner('shop', { wantsRows: true });
  const rows = new RowStatements();
  const bytes = Buffer.from(text);
  const out: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size)
    out.push(Buffer.concat(rows.take(scanner.push(bytes.subarray(at, at + size)))));
  out.push(...rows.take(scanner.end()), ...rows.end());
  return Buffer.concat(out).toString();
}

function scan(text: string) {
  const scanner = new DumpScanner('shop');
  scanner.push(Buffer.from(text));
  scanner.end();
  return { objects: scanner.objects, isWhole: scanner.isWhole };
}

/** The dump with all rows of a table in one statement. */
const asOne = (text: string): string =>
  text.replaceAll(/;\nINSERT INTO `t` VALUES( |\n)/g, (_all, end: string) => (end === '\n' ? ',\n' : ','));

const nasty = fc.constantFrom(
  "'",
  '\\\\',
  "''",
  ';',
  '),(',
  "\\'",
  'INSERT INTO `t` VALUES',
  '\\n',
  'é',
  '--',
  '/*',
  'plain words of a text',
);
const row = fc
  .tuple(fc.nat(), fc.array(nasty, { maxLength: 6 }), fc.nat({ max: 300 }))
  .map(
    ([id, parts, length]) =>
      `(${id},'${parts.map((part) => (part === "'" ? "''" : part)).join('')}','${'x'.repeat(length)}',NULL)`,
  );
const style = fc.constantFrom<Style>('lines', 'words');

describe('the statements of a dump', () => {
  it('hold the same rows in the same order, however the dump comes in', () => {
    fc.assert(
      fc.property(
        fc.array(row, { maxLength: 300 }),
        fc.integer({ min: 1, max: 80 }),
        style,
        fc.integer({ min: 1, max: 700 }),
        (rows, many, how, size) => {
          const text = dumpOf(rows, many, how);
          const result = cut(text, size);
          expect(asOne(result)).toBe(asOne(text));
          expect(scan(result)).toEqual(scan(text));
        },
      ),
      { numRuns: 150 },
    );
  });

  it('are the same for the same rows, whatever statements the program made of them', () => {
    fc.assert(
      fc.property(
        fc.array(row, { minLength: 200, maxLength: 400 }),
        style,
        fc.integer({ min: 1, max: 90 }),
        (rows, how, many) => {
          const wanted = cut(dumpOf(rows, rows.length, how));
          expect(cut(dumpOf(rows, many, how))).toBe(wanted);
          expect(cut(wanted)).toBe(wanted);
        },
      ),
      { numRuns: 50 },
    );
  });

  it.each(['lines', 'words'] as const)('differ only near a row that changed (%s)', (how) => {
    const rows = Array.from(
      { length: 20_000 },
      (_, id) => `(${id},${(id * 7919) % 1000},'${'words '.repeat(id % 40)}')`,
    );
    const statements = (text: string) => text.split(/;\n/);
    const before = statements(cut(dumpOf(rows, 5000, how)));
    const after = statements(cut(dumpOf(rows.with(7000, `(7000,1,'${'longer '.repeat(99)}')`), 4321, how)));
    const known = new Set(before);
    expect(before.length).toBeGreaterThan(40);
    expect(after.filter((statement) => !known.has(statement)).length).toBeLessThanOrEqual(2);
    expect(Math.max(...before.map((statement) => statement.length))).toBeLessThan(400_000);
  });

  it('do not grow without end when all rows are the same', () => {
    const text = cut(
      dumpOf(
        Array.from({ length: 30_000 }, () => `(NULL,'${'same '.repeat(30)}')`),
        30_000,
        'lines',
      ),
    );
    const lengths = text.split(/;\n/).map((statement) => statement.length);
    expect(lengths.length).toBeGreaterThan(4);
    expect(Math.max(...lengths)).toBeLessThan(1024 * 1024 - 1025);
  });

  it.each(['lines', 'words'] as const)('are no longer than the longest row needs (%s)', (how) => {
    const long = (id: number) => `(${id},'${'long '.repeat(100_000)}')`;
    const rows = Array.from({ length: 4000 }, (_, id) => (id % 1000 === 7 ? long(id) : `(${id},'short')`));
    for (const size of [999, 65_536]) {
      const text = dumpOf(rows, 1000, how);
      const result = cut(text, size);
      expect(asOne(result)).toBe(asOne(text));
      const statements = result.split(/;\n/).filter((statement) => statement.includes('long '));
      const head = `INSERT INTO \`t\` VALUES${how === 'lines' ? '\n' : ' '}`;
      expect(statements).toEqual([7, 1007, 2007, 3007].map((id) => `${head}${long(id)}`));
    }
  });

  it('are of their own table, also when its name holds words of a statement', () => {
    const rows = Array.from({ length: 9000 }, (_, id) => `(${id},'${'x'.repeat(40)}')`);
    const text = `INSERT INTO \`a\nINSERT INTO \`\`b\` VALUES ${rows.join(',')};\n${END}`;
    expect(cut(text)).toBe(text);
  });

  it('leaves alone what no dump program wrote as rows', () => {
    const text = [
      'INSERT INTO `t` SELECT * FROM `u`;',
      'INSERT INTO `t` VALUES (1) , (2);',
      'INSERT INTO `v` VALUES (3);',
      '-- a comment',
      'INSERT INTO `t` VALUES (4);',
      'INSERT INTO `u` VALUES (5);',
      'DELIMITER ;;',
      'CREATE PROCEDURE `p`() BEGIN INSERT INTO `t` VALUES (1);\nINSERT INTO `t` VALUES (2);\nEND ;;',
      'DELIMITER ;',
      '-- Dump completed\n',
    ].join('\n');
    for (const size of [1, 7, 4096]) expect(cut(text, size)).toBe(text);
  });
});
