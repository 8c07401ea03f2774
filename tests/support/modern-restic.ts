/** A current restic, built once from the Go module proxy into the user's cache folder; for the tests and the benchmark. */
import { findGoProgram, type GoProgram } from './go-program.ts';

/** The newest release that the Go checksum database vouches for. */
export const MODERN_VERSION = '0.18.1';

/** Its path, or the reason why there is none. The first call builds it, which takes a minute or two. */
export function findModernRestic(): GoProgram {
  return findGoProgram({
    name: 'restic',
    module: 'github.com/restic/restic',
    version: `v${MODERN_VERSION}`,
    folder: 'cmd/restic',
  });
}
