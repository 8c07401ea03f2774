import { keyIn, type RepositoryFolder } from '../open-repository.ts';
import type { MaintenanceWork } from './maintenance-work.ts';

export interface ListedFile {
  /** Path in the repository. */
  readonly path: string;
  /** 64 hex digits; null: the path is not one of a repository's files. */
  readonly name: string | null;
  readonly sizeBytes: number;
}

const FILE_NAME = /^[0-9a-f]{64}$/;

/** All that lies in a folder, also what does not belong there (`Repository.list` passes that over). */
export async function* listFiles(work: MaintenanceWork, folder: RepositoryFolder): AsyncGenerator<ListedFile> {
  const { place } = work.repository;
  const root = keyIn(place, '');
  for await (const { key, sizeBytes } of place.storage.list(keyIn(place, `${folder}/`), work.signal)) {
    const path = key.slice(root.length);
    const name = path.slice(path.lastIndexOf('/') + 1);
    const expected = folder === 'data' ? `data/${name.slice(0, 2)}/${name}` : `${folder}/${name}`;
    yield { path, name: FILE_NAME.test(name) && path === expected ? name : null, sizeBytes };
  }
}
