import { expect, it } from 'vitest';
import { folderAhead } from './ContentsBrowser.tsx';

const folder = (path: string) => ({ path, type: 'directory' as const });
const file = (path: string) => ({ path, type: 'file' as const });

it('goes on while there is nothing but one folder', () => {
  expect(folderAhead([folder('/sqlite/srv')])).toBe('/sqlite/srv');
  expect(folderAhead([folder('/sqlite/srv/a'), folder('/sqlite/srv/b')])).toBeNull();
  expect(folderAhead([file('/sqlite/srv/app.db')])).toBeNull();
  expect(folderAhead([])).toBeNull();
});
