import { expect, it } from 'vitest';
import { parseClients } from './sessions.ts';

const now = new Date('2026-01-02T03:04:05.678Z');
const line = (words: string) => `${words} fd=8 qbuf=0 events=r`;

it('lists who has a database selected, and neither ourselves nor what reads no keys', () => {
  const text = [
    line('id=3 addr=10.0.0.7:5000 laddr=10.0.0.1:6379 name=till age=65 idle=0 flags=N db=3 cmd=get user=shop'),
    line('id=4 addr=/run/redis.sock:0 name= age=0 flags=U db=0 cmd=client|list user=default lib-name=py=redis'),
    line('id=5 addr=10.0.0.8:1 name= age=9 flags=S db=0 cmd=psync user=default'),
    line('id=6 addr=10.0.0.8:2 name= age=9 flags=O db=0 cmd=monitor user=default'),
    line('id=7 addr=10.0.0.8:3 name= age=9 flags=P db=0 cmd=subscribe user=default'),
    line('id=8 addr=10.0.0.9:4 name=sentinel-1a2b3c4d-cmd age=9 flags=N db=0 cmd=ping user=default'),
    line('id=9 addr=10.0.0.9:5 name= age=9 flags=N db=0 cmd=client|list user=default'),
    '',
  ].join('\n');
  expect(parseClients(text, { ownId: '9', now })).toEqual([
    { id: '3', user: 'shop', address: '10.0.0.7:5000', program: 'till', since: '2026-01-02T03:03:00Z', database: 3 },
    {
      ...{ id: '4', user: 'default', address: '/run/redis.sock:0', program: 'py=redis' },
      ...{ since: '2026-01-02T03:04:05Z', database: 0 },
    },
  ]);
});

it('takes the user of a server without users as unknown', () => {
  const [session] = parseClients('id=1 addr=1.2.3.4:5 name= age=0 flags=N db=15 cmd=ping', { ownId: '2', now });
  expect(session).toMatchObject({ user: '', program: 'ping', database: 15 });
});
