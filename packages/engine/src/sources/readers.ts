/** The reading halves of the sources, for the reading thread: one line here per source of `index.ts`. */
import type { SourceReaders } from '../ports/source.ts';
import { countFiles, readAncestors, readFiles } from './files/read-files.ts';

export const sourceReaders: SourceReaders = {
  file: { entries: readFiles, countTotals: countFiles, ancestors: readAncestors },
};
