/** Form fields: label, control, help and error tied together by ids. */
import {
  type InputHTMLAttributes,
  type ReactNode,
  type SelectHTMLAttributes,
  type TextareaHTMLAttributes,
  useId,
} from 'react';
import { Icon } from './Icon.tsx';

const control =
  'w-full rounded-lg border bg-surface px-3 text-ink transition-shadow placeholder:text-ink-3 focus-visible:border-accent disabled:bg-raised disabled:text-ink-3';
const look = (error?: string) => `${control} ${error ? 'border-bad-mark' : 'border-line-strong/60'}`;

interface FieldProps {
  label: string;
  help?: ReactNode;
  error?: string;
  /** Shown behind the label, e.g. "optional". */
  note?: string;
}

function FieldFrame({ id, label, help, error, note, children }: FieldProps & { id: string; children: ReactNode }) {
  return (
    <div className="min-w-0">
      <label htmlFor={id} className="mb-1.5 flex items-baseline gap-2 font-medium text-ink">
        {label}
        {note && <span className="text-xs font-normal text-ink-3">{note}</span>}
      </label>
      {children}
      {error && (
        <p id={`${id}-error`} className="mt-1.5 flex items-start gap-1.5 text-[13px] text-bad">
          <Icon name="alert" size={14} className="mt-0.5" />
          {error}
        </p>
      )}
      {help && (
        <div id={`${id}-help`} className="mt-1.5 text-[13px] text-ink-3">
          {help}
        </div>
      )}
    </div>
  );
}

/** What the frame of a field and its control agree about. */
function useField(about: FieldProps) {
  const id = useId();
  const { help, error } = about;
  const describedBy = [error && `${id}-error`, help && `${id}-help`].filter(Boolean).join(' ') || undefined;
  return {
    frame: { id, ...about },
    control: { id, 'aria-invalid': error ? true : undefined, 'aria-describedby': describedBy },
  };
}

type Native<T> = Omit<T, 'id' | 'onChange' | 'value'>;

export interface TextFieldProps extends FieldProps, Native<InputHTMLAttributes<HTMLInputElement>> {
  value: string;
  onChange: (value: string) => void;
  /** Stands at the end of the input, e.g. a button. */
  end?: ReactNode;
}

export function TextField({ label, help, error, note, value, onChange, end, ...rest }: TextFieldProps) {
  const { frame, control } = useField({ label, help, error, note });
  return (
    <FieldFrame {...frame}>
      <div className="flex gap-2">
        <input
          {...rest}
          {...control}
          value={value}
          onChange={(event) => onChange(event.target.value)}
          className={`${look(error)} h-9 ${rest.className ?? ''}`}
        />
        {end}
      </div>
    </FieldFrame>
  );
}

export interface TextAreaProps extends FieldProps, Native<TextareaHTMLAttributes<HTMLTextAreaElement>> {
  value: string;
  onChange: (value: string) => void;
}

export function TextArea({ label, help, error, note, value, onChange, ...rest }: TextAreaProps) {
  const { frame, control } = useField({ label, help, error, note });
  return (
    <FieldFrame {...frame}>
      <textarea
        rows={3}
        {...rest}
        {...control}
        value={value}
        onChange={(event) => onChange(event.target.value)}
        className={`${look(error)} py-2 font-mono text-[13px]`}
      />
    </FieldFrame>
  );
}

export interface SelectFieldProps extends FieldProps, Native<SelectHTMLAttributes<HTMLSelectElement>> {
  value: string;
  onChange: (value: string) => void;
  options: readonly { value: string; label: string; disabled?: boolean }[];
}

export function SelectField({ label, help, error, note, value, onChange, options, ...rest }: SelectFieldProps) {
  const { frame, control } = useField({ label, help, error, note });
  return (
    <FieldFrame {...frame}>
      <div className="relative">
        <select
          {...rest}
          {...control}
          value={value}
          onChange={(event) => onChange(event.target.value)}
          className={`${look(error)} h-9 appearance-none pr-8`}
        >
          {options.map((option) => (
            <option key={option.value} value={option.value} disabled={option.disabled}>
              {option.label}
            </option>
          ))}
        </select>
        <Icon name="chevron-down" size={14} className="pointer-events-none absolute top-3 right-2.5 text-ink-3" />
      </div>
    </FieldFrame>
  );
}

interface CheckFieldProps {
  label: ReactNode;
  help?: ReactNode;
  checked: boolean;
  onChange: (checked: boolean) => void;
  disabled?: boolean;
}

export function CheckField({ label, help, checked, onChange, disabled }: CheckFieldProps) {
  const id = useId();
  return (
    <div className="flex gap-2.5">
      <input
        id={id}
        type="checkbox"
        checked={checked}
        disabled={disabled}
        onChange={(event) => onChange(event.target.checked)}
        aria-describedby={help ? `${id}-help` : undefined}
        className="mt-[3px] size-4 shrink-0 accent-accent"
      />
      <div className="min-w-0">
        <label htmlFor={id} className="font-medium">
          {label}
        </label>
        {help && (
          <p id={`${id}-help`} className="text-[13px] text-ink-3">
            {help}
          </p>
        )}
      </div>
    </div>
  );
}

export interface Choice {
  value: string;
  label: string;
  help?: string;
  disabled?: boolean;
}

/** Radio buttons drawn as cards. */
export function ChoiceCards({
  legend,
  value,
  onChange,
  choices,
}: {
  legend: string;
  value: string;
  onChange: (value: string) => void;
  choices: readonly Choice[];
}) {
  const name = useId();
  return (
    <fieldset>
      <legend className="mb-1.5 font-medium">{legend}</legend>
      <div className="grid gap-2 sm:grid-cols-[repeat(auto-fit,minmax(11rem,1fr))]">
        {choices.map((choice) => (
          <label
            key={choice.value}
            className={`flex gap-2.5 rounded-lg border p-3 ${value === choice.value ? 'border-accent bg-accent-soft/60' : 'border-line hover:bg-raised/60'} ${choice.disabled ? 'opacity-60' : 'cursor-pointer'}`}
          >
            <input
              type="radio"
              name={name}
              value={choice.value}
              checked={value === choice.value}
              disabled={choice.disabled}
              onChange={() => onChange(choice.value)}
              className="mt-[3px] size-4 shrink-0 accent-accent"
            />
            <span className="min-w-0">
              <span className="block font-medium">{choice.label}</span>
              {choice.help && <span className="block text-[13px] text-ink-2">{choice.help}</span>}
            </span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

/** An on/off switch; `label` is read out, `onLabel` and `offLabel` are not needed because the state is. */
export function Switch({
  checked,
  onChange,
  label,
  disabled,
}: {
  checked: boolean;
  onChange: (checked: boolean) => void;
  label: string;
  disabled?: boolean;
}) {
  return (
    <button
      type="button"
      role="switch"
      aria-checked={checked}
      aria-label={label}
      title={label}
      disabled={disabled}
      onClick={() => onChange(!checked)}
      className={`relative h-6 w-10 shrink-0 rounded-full transition-colors disabled:opacity-50 ${checked ? 'bg-accent' : 'bg-line-strong'}`}
    >
      <span
        className={`absolute top-1 left-1 size-4 rounded-full bg-white shadow transition-transform ${checked ? 'translate-x-4' : ''}`}
      />
    </button>
  );
}
