/** Where results go: the machine's name, tables, and the sections of docs/benchmarks.md. */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import path from 'node:path';

export function describeMachine(): string {
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), ${memory} GB, ${process.platform} ${process.arch}, Node ${process.version}`;
}

/** A Markdown table; columns after `textColumns` are aligned to the right. */
export function formatTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  textColumns: number,
): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = `|${head.map((_name, index) => (index < textColumns ? '---' : '--:')).join('|')}|`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}

/** Replaces what stands between `<!-- name:begin -->` and `<!-- name:end -->`. */
export function writeSection(name: string, text: string): void {
  const file = path.join(import.meta.dirname, '..', 'docs', 'benchmarks.md');
  const current = readFileSync(file, 'utf8');
  const section = new RegExp(`(<!-- ${name}:begin -->\\n)[\\s\\S]*(<!-- ${name}:end -->)`);
  if (!section.test(current)) throw new Error(`docs/benchmarks.md has no section ${name}`);
  writeFileSync(
    file,
    current.replace(section, (_whole, begin: string, end: string) => `${begin}${text}${end}`),
  );
}
