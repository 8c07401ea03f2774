/**
 * Fails when a file imports what its zone may not (`boundary-rules.ts`), or when folders import each other in a circle.
 * Tests may import anything; production code may not import tests or `testing/`.
 */
import path from 'node:path';
import { type Zone, zones } from './boundary-rules.ts';
import { type FileImport, readImports } from './import-graph.ts';
import { listSourceFiles } from './source-files.ts';

/** One sentence per broken rule; empty when all is well. */
export function checkBoundaries(root: string): string[] {
  const files = listSourceFiles(root);
  const production = files.filter((file) => !file.isTest).map((file) => file.path);
  const imports = production.flatMap((file) => readImports(root, file));
  const problems = production.filter((file) => zoneOf(file) === undefined).map((file) => `${file}: belongs to no zone`);
  for (const item of imports) {
    const problem = judgeImport(item);
    if (problem) problems.push(`${item.from}: ${problem}`);
  }
  return [...problems, ...findFolderCycles(imports)];
}

export function zoneOf(file: string): Zone | undefined {
  return zones.find((zone) => zone.pattern.test(file));
}

/** What is wrong with one import, or null. */
export function judgeImport(item: FileImport): string | null {
  const zone = zoneOf(item.from);
  if (!zone || zone.mayImport.includes('*')) return null;
  if (!item.isInternal) {
    return zone.packages && !zone.packages.test(item.to) ? `${zone.name} may not use the package ${item.to}` : null;
  }
  const target = zoneOf(item.to);
  if (/\.test\.tsx?$|\/testing\//.test(item.to) && zone.name !== 'engine/testing')
    return `imports test code (${item.to})`;
  if (item.to.endsWith('.css')) return null;
  if (!target) return `imports ${item.to}, which belongs to no zone`;
  if (target === zone) return judgeSibling(zone, item);
  if (zone.mayImport.includes(target.name)) return null;
  if (item.isDynamic && zone.lazily?.includes(target.name)) return null;
  return `${zone.name} may not import ${target.name} (${item.to})`;
}

function judgeSibling(zone: Zone, item: FileImport): string | null {
  if (!zone.isolateBy) return null;
  const own = zone.isolateBy.exec(item.from)?.[1];
  const other = zone.isolateBy.exec(item.to)?.[1];
  return own === other ? null : `${zone.name}: ${own} may not import its sibling ${other} (${item.to})`;
}

/** Folders that import each other in a circle. A folder and its own sub-folders count as one when they share a zone. */
export function findFolderCycles(imports: readonly FileImport[]): string[] {
  const graph = new Map<string, Set<string>>();
  for (const item of imports) {
    if (!item.isInternal || item.isTypeOnly || item.isDynamic) continue;
    const from = path.posix.dirname(item.from);
    const to = path.posix.dirname(item.to);
    if (from === to || from.startsWith(`${to}/`) || to.startsWith(`${from}/`)) continue;
    graph.set(from, (graph.get(from) ?? new Set()).add(to));
  }
  const problems: string[] = [];
  const done = new Set<string>();
  const visit = (folder: string, trail: readonly string[]): void => {
    const at = trail.indexOf(folder);
    if (at >= 0) {
      problems.push(`folders import each other in a circle: ${[...trail.slice(at), folder].join(' -> ')}`);
      return;
    }
    if (done.has(folder)) return;
    for (const next of graph.get(folder) ?? []) visit(next, [...trail, folder]);
    done.add(folder);
  };
  for (const folder of graph.keys()) visit(folder, []);
  return problems;
}

if (import.meta.main) {
  const problems = checkBoundaries(path.resolve(import.meta.dirname, '..'));
  for (const problem of problems) console.error(problem);
  console.log(
    problems.length === 0
      ? 'boundaries: all imports follow the floor plan'
      : `boundaries: ${problems.length} problem(s)`,
  );
  process.exitCode = problems.length === 0 ? 0 : 1;
}
