import { AppError } from '@backupx/contracts/errors';
import { MongoNetworkError } from 'mongodb';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeMongo, type FakeSetup } from '../../testing/fake-mongo.ts';
import { driverErrorOf, readServer } from './native-server.ts';

let fake: FakeMongo | undefined;

afterEach(async () => {
  await fake?.stop();
});

async function facts(setup: FakeSetup) {
  await fake?.stop();
  fake = await FakeMongo.start(setup);
  return await readServer(await fake.connect(), new AbortController().signal);
}

describe('what is known of a server', () => {
  it('comes of its version and its set', async () => {
    expect(await facts({ version: '7.0.12' })).toMatchObject({
      ...{ version: '7.0.12', hasSnapshots: false, keepsEmptyTimestamps: false, hasPlainSeries: false },
    });
    expect(await facts({ isReplicaSet: true })).toMatchObject({ hasSnapshots: true });
    expect(await facts({ version: '8.2.1' })).toMatchObject({ keepsEmptyTimestamps: true, hasPlainSeries: false });
    expect(await facts({ version: '8.3.0-rc1' })).toMatchObject({ hasPlainSeries: true });
    expect(await facts({ version: '9.0.0' })).toMatchObject({ keepsEmptyTimestamps: true, hasPlainSeries: true });
    expect(await facts({ version: '6.0.9-8' })).toMatchObject({ version: '6.0.9-8', keepsEmptyTimestamps: false });
    expect((await facts({})).address).toBe(fake?.address);
  });
});

describe('an error of a socket', () => {
  it('becomes one of the driver, and no other does', () => {
    const ended = Object.assign(new Error('This socket has been ended by the other party'), { code: 'EPIPE' });
    expect(driverErrorOf(ended)).toBeInstanceOf(MongoNetworkError);
    expect(driverErrorOf(ended)).toMatchObject({ message: `EPIPE: ${ended.message}`, cause: ended });
    const others = [new Error('plain'), new MongoNetworkError('own'), new AppError('CANCELLED', {}), 'text'];
    for (const other of others) expect(driverErrorOf(other)).toBe(other);
  });
});
