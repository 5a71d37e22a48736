/**
 * What a caller may do, as a closed list: each route names one of these, and a credential carries some of them.
 * `admin` stands for all of them, also those that later versions add.
 */
export const API_CAPABILITIES = [
  'events:read',
  'events:write',
  'events:import',
  'findings:read',
  'alerts:read',
  'alerts:write',
  'dead-letters:read',
  'dead-letters:write',
  'deliveries:read',
  'metrics:read',
  'redaction:search',
  'tokens:mint',
  'admin',
] as const
export type ApiCapability = (typeof API_CAPABILITIES)[number]

/** Who is asking, as the credential says. The tenant comes from here and from nowhere else. */
export interface Principal {
  /** Name of the person or program; written into actions (`acknowledged_by`) and logs. */
  readonly subject: string
  readonly tenant: string
  readonly capabilities: readonly ApiCapability[]
  /** The one source of records that the credential may write as; absent: none in particular. */
  readonly source?: string
  /** The sign-in in a browser that the credential came from: it ends with it. */
  readonly login?: string
}

/** What a source may be called: it becomes part of the topic of its records. */
export const SOURCE_NAME = '^[a-z0-9][a-z0-9._-]{0,62}$'

export const holds = (principal: Principal, capability: ApiCapability): boolean =>
  principal.capabilities.includes(capability) || principal.capabilities.includes('admin')

export const isApiCapability = (value: unknown): value is ApiCapability =>
  (API_CAPABILITIES as readonly unknown[]).includes(value)
