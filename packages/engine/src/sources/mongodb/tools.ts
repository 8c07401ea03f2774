/** MongoDB's own programs: where they are, of which version, and whether they or the native path do the work. */
import { AppError } from '@backupx/contracts/errors';
import { findTool } from '../../ports/find-tool.ts';
import { runTool } from '../../ports/processes.ts';
import type { ConnectionConfig } from './settings.ts';

/** Not in Debian: from MongoDB's own archive of packages. */
const PACKAGE = 'mongodb-database-tools (from mongodb.com)';
const VERSION_TIMEOUT_MS = 10_000;

export interface Tool {
  readonly name: 'mongodump' | 'mongorestore';
  readonly path: string;
  /** `100.9.5`; empty when it does not tell. */
  readonly version: string;
}

/** Null: the native path does it. Throws DATABASE_TOOL_MISSING when the programs are asked for and not there. */
export async function chooseTool(
  name: Tool['name'],
  { program, toolFolder }: Pick<ConnectionConfig, 'program' | 'toolFolder'>,
  signal: AbortSignal,
): Promise<Tool | null> {
  if (program === 'native') return null;
  const path = findTool([name], toolFolder === '' ? [] : [toolFolder]);
  if (path === null && program === 'auto') return null;
  if (path === null) throw new AppError('DATABASE_TOOL_MISSING', { tool: name, package: PACKAGE });
  const { text } = await runTool({ program: path, args: ['--version'] }, { signal, timeoutMs: VERSION_TIMEOUT_MS });
  return { name, path, version: /version:?\s*r?(\d[\w.-]*)/i.exec(text)?.[1] ?? '' };
}

/** For inventories and the log. */
export function describeTool(tool: Tool | null): string {
  return tool ? `${tool.name} ${tool.version}`.trim() : 'BackupX';
}
