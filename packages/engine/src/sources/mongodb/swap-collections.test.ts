import { describe, expect, it } from 'vitest';
import type { FoundCollection } from './read-inventory.ts';
import { OWN_COLLECTION, ScratchNames } from './scratch-names.ts';
import { type CollectionPlace, planSwap, swapCollections, undoSwap } from './swap-collections.ts';

const names = new ScratchNames('0123abcd');
const collection = (name: string, content = name): FoundCollection => ({
  name,
  kind: 'collection',
  options: { content },
});
const view = (name: string, on: string): FoundCollection => ({ name, kind: 'view', options: { viewOn: on } });

/** A database in memory, which fails at the step that is named. */
class MemoryPlace implements CollectionPlace {
  readonly there: Map<string, FoundCollection>;
  failAt = Number.POSITIVE_INFINITY;
  #steps = 0;

  constructor(collections: readonly FoundCollection[]) {
    this.there = new Map(collections.map((one) => [one.name, one]));
  }

  async list() {
    return [...this.there.values()];
  }

  async rename(from: string, to: string) {
    this.#step();
    const found = this.there.get(from);
    if (found?.kind !== 'collection' || this.there.has(to)) throw new Error(`cannot rename ${from} to ${to}`);
    this.there.delete(from);
    this.there.set(to, { ...found, name: to });
  }

  async drop(name: string) {
    this.#step();
    if (!this.there.delete(name)) throw new Error(`no ${name}`);
  }

  async createView(name: string, options: Readonly<Record<string, unknown>>) {
    this.#step();
    if (this.there.has(name)) throw new Error(`${name} is there`);
    this.there.set(name, { name, kind: 'view', options });
  }

  #step() {
    this.#steps += 1;
    if (this.#steps > this.failAt) throw new Error('the server has gone');
  }

  get final() {
    const mine = [...this.there.values()].filter(({ name }) => !OWN_COLLECTION.test(name));
    return mine.sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}

const old = [
  collection('fs.files', 'old'),
  collection('gone'),
  view('both', 'gone'),
  collection('turns', 'old'),
  view('other', 'gone'),
];
const fresh = [
  collection('fs.files', 'new'),
  collection('added'),
  view('both', 'added'),
  view('turns', 'added'),
  collection('other', 'new'),
];
const before = () =>
  new MemoryPlace([...old, ...fresh.map((one) => ({ ...one, name: names.fresh(one.name) })), collection('system.js')]);
const sorted = (list: readonly FoundCollection[]) =>
  [...list, collection('system.js')].sort((a, b) => (a.name < b.name ? -1 : 1));
const plan = planSwap(fresh, old);
const STEPS = 10;

describe('a swap of collections', () => {
  it('leaves what was loaded in place, and what was there aside', async () => {
    const place = before();
    await swapCollections(place, names, plan);
    expect(place.final).toEqual(sorted(fresh));
    expect(place.there.get(names.old('gone'))).toMatchObject({ kind: 'collection' });
  });

  it('is undone wherever it stopped, also twice, and also when the undoing stops', async () => {
    for (let failAt = 0; failAt <= STEPS; failAt += 1) {
      for (let failAgainAt = 0; failAgainAt <= STEPS; failAgainAt += 1) {
        const place = before();
        place.failAt = failAt;
        await swapCollections(place, names, plan).catch(() => {});
        place.failAt = failAt + failAgainAt;
        await undoSwap(place, names, plan).catch(() => {});
        place.failAt = Number.POSITIVE_INFINITY;
        await undoSwap(place, names, plan);
        expect(place.final, `${failAt} ${failAgainAt}`).toEqual(sorted(old));
        await undoSwap(place, names, plan);
        expect(place.final).toEqual(sorted(old));
      }
    }
  });
});
