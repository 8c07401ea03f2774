import { type FormEvent, type RefObject, useEffect, useRef, useState } from 'react';
import { fieldErrors } from '../api/error-message.ts';

export type Problems<T> = Partial<Record<keyof T & string, string>>;

interface FormOptions<T> {
  readonly initial: T;
  /** Words for each field that cannot be sent as it is. */
  readonly validate: (values: T) => Problems<T>;
  readonly submit: (values: T) => Promise<unknown>;
}

export interface Form<T> {
  readonly values: T;
  readonly isDirty: boolean;
  readonly isBusy: boolean;
  /** What the server refused the whole form with. */
  readonly error: unknown;
  readonly formRef: RefObject<HTMLFormElement | null>;
  set: <K extends keyof T>(name: K, value: T[K]) => void;
  setAll: (values: T) => void;
  /** Forgets which fields were visited, for a form that starts over. */
  forget: () => void;
  problem: (name: keyof T & string) => string | undefined;
  /** `onBlur` of a field: from now on its problem is shown. */
  touch: (name: keyof T & string) => void;
  onSubmit: (event?: FormEvent) => Promise<void>;
}

/** Values, validation on blur, refused fields of the server, and focus on the first error after submit. */
export function useForm<T extends object>({ initial, validate, submit }: FormOptions<T>): Form<T> {
  const [values, setValues] = useState(initial);
  const [saved, setSaved] = useState(initial);
  const [touched, setTouched] = useState<ReadonlySet<string>>(new Set());
  const [refused, setRefused] = useState<Record<string, string>>({});
  const [error, setError] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);
  const [focusRequest, requestFocus] = useState(0);
  const formRef = useRef<HTMLFormElement>(null);
  const problems = validate(values);

  useEffect(() => {
    if (focusRequest > 0) formRef.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [focusRequest]);

  const onSubmit = async (event?: FormEvent) => {
    event?.preventDefault();
    if (isBusy) return;
    setTouched(new Set(Object.keys(values)));
    if (Object.keys(problems).length > 0) {
      requestFocus((count) => count + 1);
      return;
    }
    setBusy(true);
    setError(null);
    setRefused({});
    try {
      await submit(values);
      setSaved(values);
    } catch (cause) {
      setError(cause);
      setRefused(fieldErrors(cause));
      requestFocus((count) => count + 1);
    } finally {
      setBusy(false);
    }
  };

  return {
    values,
    isDirty: values !== saved,
    isBusy,
    error,
    formRef,
    set: (name, value) => {
      setValues((old) => ({ ...old, [name]: value }));
      setRefused((old) => Object.fromEntries(Object.entries(old).filter(([path]) => path !== name)));
    },
    setAll: setValues,
    forget: () => setTouched(new Set()),
    problem: (name) =>
      (touched.has(name) ? problems[name] : undefined) ??
      Object.entries(refused).find(([path]) => path === name || path.startsWith(`${name}.`))?.[1],
    touch: (name) => setTouched((old) => new Set(old).add(name)),
    onSubmit,
  };
}
