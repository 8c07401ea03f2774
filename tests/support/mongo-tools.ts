/** mongodump and mongorestore, built once from the Go module proxy into the user's cache folder. */
import { findGoProgram } from './go-program.ts';

/** The newest commit that the Go checksum database vouches for. */
const COMMIT = 'v0.0.0-20240723193119-837c2bc263f4';
/** What the changelog of that commit calls it. */
export const MONGO_TOOLS_VERSION = '100.9.5';

export interface MongoTools {
  readonly mongodump: string;
  readonly mongorestore: string;
}

const build = (name: keyof MongoTools) =>
  findGoProgram({
    name,
    module: 'github.com/mongodb/mongo-tools',
    version: COMMIT,
    folder: `${name}/main`,
    linkerFlags: `-X main.VersionStr=${MONGO_TOOLS_VERSION}`,
  });

/** Their paths, or the reason why there are none. The first call builds them, which takes a minute. */
export function findMongoTools(): MongoTools | { readonly reason: string } {
  const [dump, restore] = [build('mongodump'), build('mongorestore')];
  if (dump.program === null) return { reason: dump.whyNot };
  if (restore.program === null) return { reason: restore.whyNot };
  return { mongodump: dump.program, mongorestore: restore.program };
}
