import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useChange, useDrivers } from '../api/queries.ts';
import type { DriverManifest } from '../api/types.ts';
import { ConfirmDialog } from '../components/ConfirmDialog.tsx';
import { paths } from '../components/paths.ts';
import { t } from '../i18n/i18n.ts';
import { ChoiceCards } from '../ui/Field.tsx';
import { DriverForm, type DriverValues, sentValues } from './DriverForm.tsx';
import { defaultsOf, hasAddress, otherServerFields } from './restore-fields.ts';
import { refusedBelow } from './SourceFields.tsx';

export interface VerifiedRecord {
  readonly id: number;
  readonly taskType: string;
}

type Place = 'own' | 'named';

/** Where a deep verification of dumps restores to. */
function ServerChoice({
  driver,
  place,
  onPlace,
  values,
  onValues,
  problems,
}: {
  driver: DriverManifest;
  place: Place;
  onPlace: (place: Place) => void;
  values: DriverValues;
  onValues: (values: DriverValues) => void;
  problems: Readonly<Record<string, string>>;
}) {
  return (
    <>
      <ChoiceCards
        legend={t('verify.where')}
        value={place}
        onChange={(value) => onPlace(value === 'named' ? 'named' : 'own')}
        choices={[
          { value: 'own', label: t('verify.own'), help: t('verify.ownHelp') },
          { value: 'named', label: t('verify.named'), help: t('verify.namedHelp') },
        ]}
      />
      {place === 'named' && (
        <DriverForm
          driver={driver}
          fields={serverFields(driver)}
          values={values}
          onChange={onValues}
          problems={problems}
        />
      )}
    </>
  );
}

const serverFields = (driver: DriverManifest) =>
  otherServerFields((driver.restoreFields ?? []).filter((field) => field.place));

/** How a record is to be verified, and for dumps where. */
export function VerifyDialog({ record, onClose }: { record: VerifiedRecord; onClose: () => void }) {
  const navigate = useNavigate();
  const drivers = useDrivers();
  const [mode, setMode] = useState<'quick' | 'deep'>('quick');
  const [place, setPlace] = useState<Place>('own');
  const [typed, setTyped] = useState<DriverValues>({});
  const start = useChange('verifications.startForRecord', ['verifications', 'record', 'records', 'overview']);
  const driver = drivers.data?.sources.find((one) => one.type === record.taskType);
  const mayChoose = mode === 'deep' && driver?.canVerifyOnServer === true;
  const fields = mayChoose && place === 'named' ? serverFields(driver) : [];
  const values = { ...defaultsOf(fields), ...typed };
  const options = fields.length > 0 ? sentValues(fields, values) : {};
  const begin = () =>
    start.mutate(
      { params: { id: record.id }, body: { mode, options } },
      { onSuccess: ({ id }) => void navigate({ to: paths.verification(id) }) },
    );
  return (
    <ConfirmDialog
      open
      onClose={onClose}
      title={t('verify.title')}
      confirm={t('verify.start')}
      kind="primary"
      busy={start.isPending}
      error={start.error}
      isReady={fields.length === 0 || hasAddress(fields, values)}
      onConfirm={begin}
    >
      <div className="space-y-4">
        <ChoiceCards
          legend={t('verify.mode')}
          value={mode}
          onChange={(value) => setMode(value === 'deep' ? 'deep' : 'quick')}
          choices={[
            { value: 'quick', label: t('verify.quick'), help: t('verify.quickHelp') },
            { value: 'deep', label: t('verify.deep'), help: t('verify.deepHelp') },
          ]}
        />
        {mayChoose && (
          <ServerChoice
            driver={driver}
            place={place}
            onPlace={setPlace}
            values={values}
            onValues={setTyped}
            problems={refusedBelow('options', start.error)}
          />
        )}
      </div>
    </ConfirmDialog>
  );
}
