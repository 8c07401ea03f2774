/** The reading halves of the sources, for the reading thread: one line here per source of `index.ts`. */
import type { SourceReaders } from '../ports/source.ts';
import { countFiles, readAncestors, readFiles } from './files/read-files.ts';
import { readDatabases as readMongodb } from './mongodb/read-lazily.ts';
import { physicalFolders, readServer as readMysqlPhysical } from './mysql/physical/read-lazily.ts';
import { readDatabases as readMysql } from './mysql/read-lazily.ts';
import { readCluster as readPostgresqlPhysical } from './postgresql/physical/read-lazily.ts';
import { readDatabases as readPostgresql } from './postgresql/read-lazily.ts';
import { readRedis } from './redis/read-lazily.ts';
import { readHana } from './saphana/read-lazily.ts';
import { readDatabases as readSqlite } from './sqlite/read-lazily.ts';

export const sourceReaders: SourceReaders = {
  file: { entries: readFiles, countTotals: countFiles, ancestors: readAncestors },
  mongodb: { entries: readMongodb },
  mysql: { entries: readMysql },
  'mysql-physical': { entries: readMysqlPhysical, ancestors: physicalFolders },
  postgresql: { entries: readPostgresql },
  'postgresql-physical': { entries: readPostgresqlPhysical },
  redis: { entries: readRedis },
  saphana: { entries: readHana },
  sqlite: { entries: readSqlite },
};
