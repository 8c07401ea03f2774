import { realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import type { RestoreOptions } from './settings.ts';
import { parseTablespaceMap, relocate, type Tablespace } from './tablespace-map.ts';

/**
 * Where the tablespaces of a backup go; `map`: its `tablespace_map`. Throws INVALID_INPUT for a line that is for none of
 * them, for two at one place, and for one in the data directory, which is replaced as a whole.
 */
export function placeTablespaces(
  map: string,
  { tablespaces, dataFolder }: Pick<RestoreOptions, 'tablespaces' | 'dataFolder'>,
): Tablespace[] {
  const known = parseTablespaceMap(map);
  const { moved, unused } = relocate(known, tablespaces);
  const [line] = unused;
  if (line !== undefined) {
    const all = known.map(({ location }) => location).join(', ') || 'none';
    throw invalid(`There is no tablespace for the line ${line}. There are: ${all}.`);
  }
  const taken = new Set<string>();
  for (const { location } of moved) {
    const place = inFull(location);
    if (place.startsWith(inFull(dataFolder)))
      throw invalid(`A tablespace would lie in the data directory: ${location}. Give it a place elsewhere.`);
    if (taken.has(place)) throw invalid(`Two tablespaces would lie in ${location}. Give each a place of its own.`);
    taken.add(place);
  }
  return moved;
}

/** Where it leads, as far as it is there, with one slash at its end. */
const inFull = (path: string): string => `${realOf(path).replace(/\/+$/, '')}/`;

function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return join(realOf(dirname(path)), basename(path));
  }
}

const invalid = (message: string): AppError =>
  new AppError('INVALID_INPUT', {}, { fields: [{ path: 'options.tablespaces', code: 'custom', message }] });
