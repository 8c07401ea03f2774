/**
 * How a plug-in (source, storage, later channel) describes its form to the console.
 *
 * A driver is declared with a Zod object whose fields carry `.meta({ label, secret, … })`; `toDriverManifest`
 * turns that one object into plain JSON. The console draws the form from it and never switches on a type.
 */
import { z } from 'zod';

/** What `.meta()` of a config field may say. All optional; `label` is an English fallback for a translation key. */
export interface FieldMeta {
  /** Translation key is `driver.<type>.<field>`; this is its English text. */
  readonly label?: string;
  readonly help?: string;
  readonly placeholder?: string;
  /** Sealed at rest, masked in answers. */
  readonly secret?: boolean;
  /** Folded away under "Advanced". */
  readonly advanced?: boolean;
  /** Drawn as a text area. */
  readonly multiline?: boolean;
}

export const fieldManifestSchema = z.object({
  name: z.string(),
  kind: z.enum(['text', 'number', 'boolean', 'select', 'list']),
  label: z.string(),
  help: z.string().optional(),
  placeholder: z.string().optional(),
  required: z.boolean(),
  secret: z.boolean(),
  advanced: z.boolean(),
  multiline: z.boolean(),
  /** Part of where and as whom a server is reached; secrets among them belong to the others. Left out: false. */
  place: z.boolean().optional(),
  options: z.array(z.string()).optional(),
  default: z.union([z.string(), z.number(), z.boolean(), z.array(z.string())]).optional(),
});
export type FieldManifest = z.output<typeof fieldManifestSchema>;

export const driverManifestSchema = z.object({
  kind: z.enum(['source', 'storage']),
  type: z.string(),
  title: z.string(),
  fields: z.array(fieldManifestSchema),
  /** Settings of a restore; left out: there are none. */
  restoreFields: z.array(fieldManifestSchema).optional(),
  /** True: the connection can be tested and what is there listed. */
  canInspect: z.boolean().optional(),
  /** True: it can be asked what a restore would replace, and who is connected to that. */
  canInspectTarget: z.boolean().optional(),
  /** True: that can be backed up before. */
  canSaveTarget: z.boolean().optional(),
  /** True: a deep verification can be made on a server that is named, by the `restoreFields` with `place`. */
  canVerifyOnServer: z.boolean().optional(),
});
export type DriverManifest = z.output<typeof driverManifestSchema>;

/** What the console shows instead of a stored secret; sent back unchanged it keeps the stored value. */
export const MASKED_SECRET = '********';

interface JsonSchemaField {
  type?: string;
  enum?: string[];
  default?: unknown;
  label?: string;
  help?: string;
  placeholder?: string;
  secret?: boolean;
  advanced?: boolean;
  multiline?: boolean;
}

function fieldKind(field: JsonSchemaField): FieldManifest['kind'] {
  if (field.enum) return 'select';
  if (field.type === 'boolean') return 'boolean';
  if (field.type === 'integer' || field.type === 'number') return 'number';
  if (field.type === 'array') return 'list';
  return 'text';
}

/** Builds the manifest of a driver from its config schemas. */
export function toDriverManifest(driver: {
  kind: 'source' | 'storage';
  type: string;
  title: string;
  config: z.ZodObject;
  restoreConfig?: z.ZodObject;
  inspect?: unknown;
  inspectTarget?: unknown;
  targetSettings?: unknown;
  verifiesOnServer?: boolean;
}): DriverManifest {
  const { kind, type, title } = driver;
  return {
    ...{ kind, type, title, fields: fieldsOf(driver.config) },
    ...(driver.restoreConfig ? { restoreFields: fieldsOf(driver.restoreConfig) } : {}),
    ...(driver.inspect ? { canInspect: true } : {}),
    ...(driver.inspectTarget ? { canInspectTarget: true } : {}),
    ...(driver.targetSettings ? { canSaveTarget: true } : {}),
    ...(driver.verifiesOnServer ? { canVerifyOnServer: true } : {}),
  };
}

/** By the names that drivers use: `db…`, `tls…`, `ssh…`, and programs that are told the password. */
const PLACE = /^(db[A-Z]|tls|ssh|uri$|host$|port$|user$|socket|authSource|systemUser|toolFolder)/;

function fieldsOf(config: z.ZodObject): FieldManifest[] {
  const schema = z.toJSONSchema(config, { io: 'input', unrepresentable: 'any' });
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).map(([name, raw]): FieldManifest => {
    const field = raw as JsonSchemaField;
    return {
      name,
      kind: fieldKind(field),
      label: field.label ?? name,
      help: field.help,
      placeholder: field.placeholder,
      required: required.has(name),
      secret: field.secret ?? false,
      advanced: field.advanced ?? false,
      multiline: field.multiline ?? false,
      ...(PLACE.test(name) ? { place: true } : {}),
      options: field.enum,
      default: field.default as FieldManifest['default'],
    };
  });
}

/** Names of the secret fields of a config schema. */
export function secretFieldNames(config: z.ZodObject): string[] {
  return fieldsOf(config)
    .filter((field) => field.secret)
    .map((field) => field.name);
}
