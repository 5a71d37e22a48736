const PREFIX = 'access:'

/** The tenant that holds who read, changed and tried what in another: no credential is of it, no rule judges it. */
export const accessTenantOf = (tenant: string): string => `${PREFIX}${tenant}`

export const isAccessTenant = (tenant: string): boolean => tenant.startsWith(PREFIX)

/** The same as a condition in SQL, over a column `tenant`. */
export const NOT_ACCESS_TENANT_SQL = `NOT startsWith(tenant, '${PREFIX}')`
