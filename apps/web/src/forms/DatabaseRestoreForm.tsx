import { useState } from 'react';
import { useNodes } from '../api/queries.ts';
import type { DriverManifest, FieldManifest } from '../api/types.ts';
import type { Basket } from '../components/ContentsBrowser.tsx';
import { ErrorBox } from '../components/ErrorBox.tsx';
import { t } from '../i18n/i18n.ts';
import { Button } from '../ui/Button.tsx';
import { Card } from '../ui/Card.tsx';
import { type Choice, ChoiceCards, SelectField, TextField } from '../ui/Field.tsx';
import { type Danger, DatabaseRestoreReview } from './DatabaseRestoreReview.tsx';
import { DriverForm, type DriverValues, sentValues } from './DriverForm.tsx';
import { BasketList } from './RestoreForm.tsx';
import { addressesOf, defaultsOf, hasAddress, otherServerFields } from './restore-fields.ts';
import { chosenDatabases, chosenFiles, fileAfter, nameAfter } from './restore-names.ts';
import { folderBeside } from './restore-target.ts';
import { refusedBelow } from './SourceFields.tsx';
import { type RestoreSource, type RestoreWishes, useStartRestore } from './use-start-restore.ts';

type Place = 'same' | 'another' | 'files';

interface Wish {
  readonly place: Place;
  readonly folder: string;
  readonly nodeId: number;
  readonly values: DriverValues;
}

/** The server of the task has its own address; another one needs all of it. */
function fieldsFor(driver: DriverManifest, place: Place): readonly FieldManifest[] {
  const all = driver.restoreFields ?? [];
  return place === 'another' ? otherServerFields(all) : all.filter((field) => !field.place);
}

function missingAddress(fields: readonly FieldManifest[], wish: Wish): Record<string, string> {
  const [first] = addressesOf(fields);
  if (wish.place !== 'another' || !first || hasAddress(fields, wish.values)) return {};
  return { [first.name]: t('field.required') };
}

/** False where databases are files of the machine. */
const hasPlace = (driver: DriverManifest): boolean => driver.restoreFields?.some((field) => field.place) ?? false;

function placeChoices(driver: DriverManifest): readonly Choice[] {
  return [
    { value: 'same', label: t('sourceRestore.same'), help: t('sourceRestore.sameHelp') },
    ...(hasPlace(driver)
      ? [{ value: 'another', label: t('sourceRestore.another'), help: t('sourceRestore.anotherHelp') }]
      : []),
    { value: 'files', label: t('sourceRestore.files'), help: t('sourceRestore.filesHelp') },
  ];
}

function WhereTo({ wish, onChange, problem }: { wish: Wish; onChange: (wish: Wish) => void; problem: string }) {
  const nodes = useNodes();
  return (
    <>
      {wish.place === 'files' && (
        <TextField
          label={t('restore.folder')}
          value={wish.folder}
          onChange={(folder) => onChange({ ...wish, folder })}
          error={problem || undefined}
          className="font-mono text-[13px]"
          spellCheck={false}
        />
      )}
      <SelectField
        label={t('restore.onServer')}
        value={String(wish.nodeId)}
        onChange={(value) => onChange({ ...wish, nodeId: Number(value) })}
        options={(nodes.data ?? []).map((item) => ({
          value: String(item.id),
          label: item.status === 'online' ? item.name : t('task.serverOffline', { name: item.name }),
          disabled: item.status !== 'online',
        }))}
      />
    </>
  );
}

interface Props {
  readonly driver: DriverManifest;
  readonly source: RestoreSource;
  /** The server the task reads from; empty when that is a part of the machine it runs on, as files are. */
  readonly serverName: string;
  readonly basket: Basket;
  readonly onChange: (basket: Basket) => void;
}

/** Null: nothing is replaced. */
function dangerOf({ driver, source, basket }: Props, options: DriverValues, server: string): Danger | null {
  if (options.replaceExisting !== true) return null;
  const [names, after] = hasPlace(driver)
    ? [chosenDatabases(basket.keys()), nameAfter]
    : [chosenFiles(basket.values()), fileAfter];
  const only = names.length === 1 ? after(names[0] ?? '', options.rename) : null;
  return only === null
    ? { type: source.name, words: t('sourceRestore.dangerMany', { name: source.name, server }) }
    : { type: only, words: t('sourceRestore.dangerOne', { name: only, server }) };
}

function whereTo(server: string, node: string): string {
  return server === node ? t('sourceRestore.onServer', { server }) : t('sourceRestore.toServer', { server, node });
}

/** A restore of databases: into which server, under which names, or as files. */
export function DatabaseRestoreForm(props: Props) {
  const { driver, source, serverName, basket, onChange } = props;
  const nodes = useNodes();
  const [wish, setWish] = useState<Wish>({
    place: 'same',
    folder: folderBeside('', source.at),
    nodeId: source.nodeId,
    values: defaultsOf(driver.restoreFields ?? []),
  });
  const [isReviewing, setReviewing] = useState(false);
  const [problem, setProblem] = useState('');
  const [wasReviewed, setReviewed] = useState(false);
  const restore = useStartRestore(source);
  const isFiles = wish.place === 'files';
  const fields = isFiles ? [] : fieldsFor(driver, wish.place);
  const shown = new Set(fields.map((field) => field.name));
  const options = Object.fromEntries(
    Object.entries(sentValues(fields, wish.values)).filter(([name]) => shown.has(name)),
  );
  const missing = missingAddress(fields, wish);
  const nodeName = nodes.data?.find((node) => node.id === wish.nodeId)?.name ?? source.nodeName;
  const server = String(options.dbHost || serverName || nodeName);
  const danger = dangerOf(props, options, server);
  const wishes: RestoreWishes = {
    targetPath: isFiles ? wish.folder.trim() : '',
    ...(basket.size > 0 ? { paths: [...basket.keys()] } : {}),
    nodeId: wish.nodeId,
    overwrite: 'never',
    dryRun: false,
    options,
  };
  const review = () => {
    const isWrong = isFiles && !wish.folder.trim().startsWith('/');
    setProblem(isWrong ? t('first.folderRule') : '');
    setReviewed(true);
    setReviewing(!isWrong && Object.keys(missing).length === 0);
  };
  return (
    <div className="space-y-5 lg:sticky lg:top-8">
      <Card title={t('restore.basket')}>
        <BasketList basket={basket} onChange={onChange} empty={t('sourceRestore.everything')} />
      </Card>
      <Card title={t('restore.destination')}>
        <div className="space-y-4">
          <ChoiceCards
            legend={t('restore.place')}
            value={wish.place}
            onChange={(place) => setWish({ ...wish, place: place as Place })}
            choices={placeChoices(driver)}
          />
          <WhereTo wish={wish} onChange={setWish} problem={problem} />
          {fields.length > 0 && (
            <DriverForm
              driver={driver}
              fields={fields}
              values={wish.values}
              onChange={(values) => setWish({ ...wish, values })}
              problems={{ ...refusedBelow('options', restore.error), ...(wasReviewed ? missing : {}) }}
            />
          )}
          <ErrorBox error={isReviewing ? null : restore.error} />
          <Button kind="primary" icon="restore" className="w-full" onClick={review}>
            {t('restore.review')}
          </Button>
        </div>
      </Card>
      {isReviewing && (
        <DatabaseRestoreReview
          {...{ driver, source, danger, restore, wishes }}
          onClose={() => setReviewing(false)}
          chosen={basket.size}
          whereTo={isFiles ? t('restore.toFolder', { folder: wish.folder, node: nodeName }) : whereTo(server, nodeName)}
          onEndSessions={
            shown.has('endSessions')
              ? (endSessions) => setWish({ ...wish, values: { ...wish.values, endSessions } })
              : null
          }
          onAcceptVersion={(acceptOtherVersion) => setWish({ ...wish, values: { ...wish.values, acceptOtherVersion } })}
        />
      )}
    </div>
  );
}
