/**
 * Prints how long files and functions are, so that the trend shows, and fails on what has grown too long:
 * files over 500 lines (tests 800), functions over 100 (React components 150), banned file names.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseSync, Visitor } from 'oxc-parser';
import { listSourceFiles, type SourceFile } from './source-files.ts';

const limits = { file: 500, testFile: 800, function: 100, component: 150, warnFile: 300, warnFunction: 60 };
const bannedNames = /^(service|manager|helpers?|utils?|common|misc|handler|base)\.tsx?$/;

export interface SizeReport {
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
  readonly fileLines: readonly number[];
  readonly functionLines: readonly number[];
}

/** Measures every file of the project. */
export function measureSizes(root: string): SizeReport {
  const problems: string[] = [];
  const warnings: string[] = [];
  const fileLines: number[] = [];
  const functionLines: number[] = [];
  for (const file of listSourceFiles(root)) {
    const text = readFileSync(path.join(root, file.path), 'utf8');
    const lines = text.split('\n').length;
    judgeFile(file, lines, problems, warnings);
    if (file.isTest) continue;
    fileLines.push(lines);
    for (const found of measureFunctions(file.path, text)) {
      functionLines.push(found.lines);
      const limit = found.isComponent ? limits.component : limits.function;
      const where = `${file.path}:${found.line}`;
      if (found.lines > limit) problems.push(`${where}: a function of ${found.lines} lines (limit ${limit})`);
      else if (found.lines > limits.warnFunction && !found.isComponent)
        warnings.push(`${where}: a function of ${found.lines} lines`);
    }
  }
  return { problems, warnings, fileLines, functionLines };
}

function judgeFile(file: SourceFile, lines: number, problems: string[], warnings: string[]): void {
  const limit = file.isTest ? limits.testFile : limits.file;
  if (lines > limit) problems.push(`${file.path}: ${lines} lines (limit ${limit})`);
  else if (lines > limits.warnFile && !file.isTest) warnings.push(`${file.path}: ${lines} lines`);
  if (bannedNames.test(path.basename(file.path)))
    problems.push(`${file.path}: this name says nothing; name the file for what it does`);
}

interface MeasuredFunction {
  readonly line: number;
  readonly lines: number;
  readonly isComponent: boolean;
}

function measureFunctions(file: string, text: string): MeasuredFunction[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  const lineOf = (offset: number): number => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  };
  const found: MeasuredFunction[] = [];
  const add = (node: { start: number; end: number }): void => {
    const line = lineOf(node.start);
    found.push({ line, lines: lineOf(node.end) - line + 1, isComponent: file.endsWith('.tsx') });
  };
  new Visitor({ FunctionDeclaration: add, FunctionExpression: add, ArrowFunctionExpression: add }).visit(
    parseSync(file, text).program,
  );
  return found;
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

function describe(name: string, values: readonly number[]): string {
  return `${name}: ${values.length}, median ${quantile(values, 0.5)}, p95 ${quantile(values, 0.95)}, longest ${Math.max(0, ...values)} lines`;
}

if (import.meta.main) {
  const report = measureSizes(path.resolve(import.meta.dirname, '..'));
  console.log(describe('files', report.fileLines));
  console.log(describe('functions', report.functionLines));
  for (const warning of report.warnings) console.log(`long: ${warning}`);
  for (const problem of report.problems) console.error(problem);
  process.exitCode = report.problems.length === 0 ? 0 : 1;
}
