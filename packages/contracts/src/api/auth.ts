/** Set-up, login, sessions, users and API keys. */
import { z } from 'zod';
import { defineRoute, idParams, idSchema, listQuery, okOutput, pageOf, timeSchema } from '../define-route.ts';

export const roleSchema = z.enum(['viewer', 'operator', 'admin']);
export type Role = z.output<typeof roleSchema>;

/** True when `role` includes everything `needed` may do. */
export function roleAllows(role: Role, needed: Role): boolean {
  const order: Record<Role, number> = { viewer: 0, operator: 1, admin: 2 };
  return order[role] >= order[needed];
}

export const usernameSchema = z
  .string()
  .trim()
  .min(3)
  .max(64)
  .regex(/^[\w.@-]+$/, 'letters, digits and . _ @ - only');
export const passwordSchema = z.string().min(8).max(256);

export const userSchema = z
  .object({
    id: idSchema,
    username: z.string(),
    displayName: z.string(),
    role: roleSchema,
    enabled: z.boolean(),
    createdAt: timeSchema,
    lastLoginAt: timeSchema.nullable(),
  })
  .meta({ id: 'User' });
export type User = z.output<typeof userSchema>;

/** Login also sets the session cookie and answers the CSRF token the console sends back as `X-CSRF-Token`. */
const sessionOutput = z.object({ token: z.string(), csrfToken: z.string(), user: userSchema });

export const authRoutes = {
  setupStatus: defineRoute({
    method: 'GET',
    path: '/api/auth/setup/status',
    access: 'public',
    summary: 'Is the first administrator still missing?',
    output: z.object({ initialized: z.boolean() }),
  }),
  setup: defineRoute({
    method: 'POST',
    path: '/api/auth/setup',
    access: 'public',
    summary: 'Create the first administrator',
    audit: 'auth.setup',
    body: z.object({ username: usernameSchema, password: passwordSchema, displayName: z.string().max(100).optional() }),
    output: sessionOutput,
    errors: ['AUTH_SETUP_DONE'],
  }),
  login: defineRoute({
    method: 'POST',
    path: '/api/auth/login',
    access: 'public',
    summary: 'Sign in; the token serves scripts as bearer',
    audit: 'auth.login',
    body: z.object({ username: z.string().min(1).max(64), password: z.string().min(1).max(256) }),
    output: sessionOutput,
    errors: ['AUTH_INVALID_CREDENTIALS', 'AUTH_SETUP_REQUIRED', 'RATE_LIMITED'],
  }),
  logout: defineRoute({
    method: 'POST',
    path: '/api/auth/logout',
    access: 'viewer',
    summary: 'End this session',
    output: okOutput,
    audit: 'auth.logout',
  }),
  profile: defineRoute({
    method: 'GET',
    path: '/api/auth/profile',
    access: 'viewer',
    summary: 'Who am I',
    output: userSchema.extend({ csrfToken: z.string().nullable() }),
  }),
  changePassword: defineRoute({
    method: 'PUT',
    path: '/api/auth/password',
    access: 'viewer',
    summary: 'Change my password; ends my other sessions',
    audit: 'auth.password',
    body: z.object({ currentPassword: z.string().min(1).max(256), newPassword: passwordSchema }),
    output: okOutput,
    errors: ['AUTH_INVALID_CREDENTIALS'],
  }),
} as const;

const userInput = z.object({
  username: usernameSchema,
  displayName: z.string().max(100).default(''),
  role: roleSchema,
  enabled: z.boolean().default(true),
  password: passwordSchema.optional(),
});

export const userRoutes = {
  list: defineRoute({
    method: 'GET',
    path: '/api/users',
    access: 'admin',
    summary: 'Users',
    query: listQuery,
    output: z.union([pageOf(userSchema), z.array(userSchema)]),
  }),
  create: defineRoute({
    method: 'POST',
    path: '/api/users',
    access: 'admin',
    summary: 'Create a user',
    audit: 'user.create',
    body: userInput.extend({ password: passwordSchema }),
    output: userSchema,
    errors: ['USER_NAME_TAKEN'],
  }),
  update: defineRoute({
    method: 'PUT',
    path: '/api/users/:id',
    access: 'admin',
    summary: 'Change a user; a new password ends their sessions',
    audit: 'user.update',
    params: idParams,
    body: userInput,
    output: userSchema,
    errors: ['USER_NOT_FOUND', 'USER_NAME_TAKEN', 'USER_LAST_ADMIN'],
  }),
  remove: defineRoute({
    method: 'DELETE',
    path: '/api/users/:id',
    access: 'admin',
    summary: 'Delete a user',
    audit: 'user.delete',
    params: idParams,
    output: okOutput,
    errors: ['USER_NOT_FOUND', 'USER_LAST_ADMIN'],
  }),
} as const;

export const apiKeySchema = z
  .object({
    id: idSchema,
    name: z.string(),
    role: roleSchema,
    prefix: z.string(),
    enabled: z.boolean(),
    createdBy: z.string(),
    createdAt: timeSchema,
    lastUsedAt: timeSchema.nullable(),
    expiresAt: timeSchema.nullable(),
  })
  .meta({ id: 'ApiKey' });
export type ApiKey = z.output<typeof apiKeySchema>;

export const apiKeyRoutes = {
  list: defineRoute({
    method: 'GET',
    path: '/api/api-keys',
    access: 'admin',
    summary: 'API keys',
    query: listQuery,
    output: z.union([pageOf(apiKeySchema), z.array(apiKeySchema)]),
  }),
  create: defineRoute({
    method: 'POST',
    path: '/api/api-keys',
    access: 'admin',
    summary: 'Create an API key; `key` is shown this once',
    audit: 'api_key.create',
    body: z.object({
      name: z.string().trim().min(1).max(100),
      role: roleSchema,
      ttlHours: z.number().int().min(0).max(87_600).default(0),
    }),
    output: apiKeySchema.extend({ key: z.string() }),
  }),
  toggle: defineRoute({
    method: 'PUT',
    path: '/api/api-keys/:id/toggle',
    access: 'admin',
    summary: 'Switch an API key on or off',
    audit: 'api_key.toggle',
    params: idParams,
    body: z.object({ enabled: z.boolean() }),
    output: apiKeySchema,
    errors: ['API_KEY_NOT_FOUND'],
  }),
  remove: defineRoute({
    method: 'DELETE',
    path: '/api/api-keys/:id',
    access: 'admin',
    summary: 'Revoke an API key',
    audit: 'api_key.delete',
    params: idParams,
    output: okOutput,
    errors: ['API_KEY_NOT_FOUND'],
  }),
} as const;
