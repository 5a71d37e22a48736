/**
 * One spelling for each principal, so that one person has one baseline. Only what the identity’s own provider holds to be
 * the same is made the same; every other name is kept letter by letter, because ids may differ by case alone.
 *
 * | given | becomes | because |
 * | --- | --- | --- |
 * | `Ada@X.Example`, `mailto:…`, `Ada <…>` | `ada@x.example` | addresses, UPNs and Kerberos names are compared without case |
 * | `CORP\\Ada` | `corp\\ada` | names of Windows accounts have no case |
 * | `CN=Ada, OU=Staff` | `cn=ada,ou=staff` | nor have names of a directory |
 * | `{8D1A…}` | `8d1a…` | UUIDs are hexadecimal numbers |
 * | `ada_x.example#EXT#@y.example` | `ada@x.example` | a guest of Entra is who she is at home |
 * | `live.com#ada@x.example`, `mail#…` | `ada@x.example` | one who signs in to Entra with an account of another provider |
 * | `arn:aws:sts::…:assumed-role/R/ada@x.example`, `AROA…:ada@x.example` | `ada@x.example` | the person behind a role’s session (IAM Identity Center) |
 * | `oidc:ada@x.example`, `https://issuer/#ada@…` | `ada@x.example` | Kubernetes puts the provider before the names of OpenID Connect |
 * | `ada%40x.example` | `ada@x.example` | an address that came in a URL or a header |
 * | `accounts.google.com:1081…` | `1081…` | Google’s proxy puts the provider before the number of an account |
 * | `spiffe://X.Example/ns/a/sa/b`, `x.example/ns/a/sa/b` | `spiffe://x.example/ns/a/sa/b` | trust domains have no case, and Istio leaves the scheme out |
 * | `spiffe://cluster.local/ns/a/sa/b` | `system:serviceaccount:a:b` | in the trust domain of “this cluster” it is the service account itself |
 *
 * The fields of the event keep the spelling that came.
 */
export function canonicalPrincipal(given: string): string {
  const name = given.trim()
  // Names are cut at 1,024 characters before; what is longer is nobody’s address.
  if (name.length > LONGEST) return name
  if (DIRECTORY.test(name)) return name.toLowerCase().replace(/ {0,8}([,=+]) {0,8}/g, '$1')
  if (name.includes('@')) return addressIn(name)
  if (name.includes('%40')) return ENCODED.test(name) ? addressIn(name.replace('%40', '@')) : name
  if (name.includes('/sa/') || /^spiffe:/i.test(name)) return workloadIn(name)
  if (name.includes('\\')) return WINDOWS.test(name) ? name.toLowerCase() : name
  if (name.startsWith(GOOGLE)) return GOOGLE_NUMBER.exec(name)?.[1] ?? name
  if (name.length !== UUID_LENGTH && name.length !== UUID_LENGTH + 2) return name
  return UUID.exec(name)?.[1]?.toLowerCase() ?? name
}

/** The identity of a workload: SPIFFE’s, or Istio’s, which leaves the scheme out. */
function workloadIn(name: string): string {
  const [, domain, path = ''] = SPIFFE.exec(name) ?? ISTIO.exec(name) ?? []
  if (domain === undefined) return name
  const [, namespace, account] = SERVICE_ACCOUNT.exec(path) ?? []
  return domain.toLowerCase() === 'cluster.local' && account !== undefined
    ? `system:serviceaccount:${namespace}:${account}`
    : `spiffe://${domain.toLowerCase()}${path}`
}

const LONGEST = 1024
const SPIFFE = /^spiffe:\/\/([\w.-]{1,255})(\/[^\s?#]{1,700})?$/i
const ISTIO = /^([\w-]{1,63}(?:\.[\w-]{1,63}){0,8})(\/ns\/[^/\s]{1,63}\/sa\/[^/\s]{1,253})$/
const SERVICE_ACCOUNT = /^\/ns\/([a-z0-9-]{1,63})\/sa\/([a-z0-9.-]{1,253})$/
const ENCODED = /^[^%@\s]{1,255}%40[^%@\s]{1,255}$/
const GOOGLE = 'accounts.google.com:'
const GOOGLE_NUMBER = /^accounts\.google\.com:(\d{1,32})$/
const UUID_LENGTH = 36
const UUID = /^\{?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\}?$/i
const WINDOWS = /^[^\\/\s][^\\/]{0,255}\\[^\\]{1,255}$/
const DIRECTORY = /^(?:cn|uid|ou|dc|samaccountname|emailaddress)=[^,]{1,255}(?:,|$)/i
const NAMED_ADDRESS = /^[^<>]{0,255}<([^<>\s]{1,255}@[^<>\s]{1,255})>$/
const PREFIX =
  /^(?:mailto:|acct:|smtp:|accounts\.google\.com:|user:|serviceaccount:|oidc:|https:\/\/[^#\s]{1,512}#)/i
const SESSION = /^arn:[^:]{1,32}:sts::\d{0,20}:assumed-role\/[^/]{1,255}\/([^/]{1,255}@[^/]{1,255})$/
const ROLE_SESSION = /^AROA[A-Z0-9]{12,124}:([^:@/]{1,255}@[^:@/]{1,255})$/
const HOME = /^(?:live\.com|mail)#/i
const GUEST = /^([^@]{1,255})_([^_@]{1,255})#ext#@[^@]{1,255}$/i

function addressIn(name: string): string {
  let address = name
  if (address.endsWith('>')) address = NAMED_ADDRESS.exec(address)?.[1] ?? address
  if (address.includes(':'))
    address = (SESSION.exec(address) ?? ROLE_SESSION.exec(address))?.[1] ?? address.replace(PREFIX, '')
  if (address.includes('#')) address = address.replace(HOME, '').replace(GUEST, '$1@$2')
  address = address.toLowerCase()
  const at = address.lastIndexOf('@') + 1
  const domain = canonicalDomain(address.slice(at))
  return address.slice(0, at).normalize('NFC') + domain
}

function canonicalDomain(domain: string): string {
  const plain = domain.endsWith('.') ? domain.slice(0, -1) : domain
  if (plain === 'googlemail.com') return 'gmail.com'
  if (!NOT_ASCII.test(plain) || IN_URL.test(plain)) return plain
  return URL.parse(`http://${plain}`)?.hostname ?? plain
}

const NOT_ASCII = /[^ -~]/
// A URL would end its host there: two names must not become one.
const IN_URL = /[/\\?#@:[\]]/
