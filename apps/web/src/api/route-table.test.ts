import { allRoutes } from '@backupx/contracts/api/all-routes';
import { expect, test } from 'vitest';
import { routeTable } from './route-table.ts';

const contracts = allRoutes as unknown as Record<string, Record<string, { method: string; path: string }>>;

test.each(Object.entries(routeTable))('%s is the address of its contract', (name, address) => {
  const [group = '', route = ''] = name.split('.');
  const contract = contracts[group]?.[route];
  expect(`${contract?.method} ${contract?.path}`).toBe(address);
});
