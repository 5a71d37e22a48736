/**
 * What an argument of this name says about where data goes.
 * - `address`: a URL, a mail address or an scp-like address
 * - `party`: also a bank account, a wallet or an account’s id
 * - `recipient`: also any short name
 * - `channel`: a chat’s channel, where something to send stands beside it
 * - `bare`: also a host’s or bucket’s name by itself
 * - `command`: a command line
 */
type Meaning = 'address' | 'party' | 'recipient' | 'channel' | 'bare' | 'command'

// Most telling first, in lower case.
const ARGUMENTS: readonly (readonly [Meaning, names: string])[] = [
  [
    'address',
    'url uri endpoint webhook webhook_url webhookurl callback_url callbackurl target_url targeturl',
  ],
  ['address', 'upload_url uploadurl redirect_url s3_uri gcs_uri remote_url repo_url repository_url git_url'],
  ['address', 'destination_url destination_uri'],
  ['party', 'to torecipients to_recipients to_email to_address destination dest target'],
  ['recipient', 'recipient recipients recipient_email recipient_id beneficiary payee creditor'],
  ['recipient', 'to_account destination_account target_account recipient_account iban to_iban'],
  ['address', 'email emails email_address emailaddress cc bcc share_with shared_with'],
  ['address', 'attendees participants invitees guests grantee collaborators'],
  ['channel', 'channel channel_id channelid channel_name chat_id chatid room room_id'],
  ['bare', 'host hostname domain bucket bucket_name bucketname'],
  ['address', 'remote path file_path output output_path dst destination_path'],
  ['command', 'command cmd commands shell_command script command_line commandline'],
]

const RANKS = new Map(
  ARGUMENTS.flatMap(([meaning, names]) => names.split(' ').map((name) => ({ name, meaning }))).map(
    ({ name, meaning }, rank) => [name, { meaning, rank }] as const,
  ),
)

/** What a message to a channel stands in; without it a channel is one that is read. */
const PAYLOADS: ReadonlySet<string> = new Set([
  ...['text', 'message', 'body', 'content', 'contents', 'blocks', 'file', 'files', 'attachments', 'markdown'],
  ...['markdown_text', 'caption', 'media', 'document', 'payload', 'msg'],
])

/** Where an object in place of an address keeps it, as in Microsoft Graph’s `toRecipients`. */
const INNER = ['emailaddress', 'email', 'address', 'url', 'id', 'name'] as const
const MAX_NESTING = 3
const MAX_TEXT = 2048
const MAX_COMMAND = 4096

/**
 * Where a call’s arguments send data to: a host, bucket or mail domain in lower case, a bank account, a recipient, `#` and
 * a channel. Of several the one under the most telling name, and there the first.
 */
export function destinationIn(values: Readonly<Record<string, unknown>>): string | undefined {
  let found: { readonly rank: number; readonly destination: string } | undefined
  for (const key in values) {
    const known = RANKS.get(key) ?? RANKS.get(key.toLowerCase())
    if (known === undefined || (found !== undefined && found.rank < known.rank)) continue
    const text = firstText(values[key], 0)
    const destination = text === undefined ? undefined : meant(text, known.meaning, values)
    if (destination !== undefined) found = { rank: known.rank, destination }
  }
  return found?.destination
}

function firstText(value: unknown, nesting: number): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  if (typeof value !== 'object' || value === null || nesting >= MAX_NESTING) return undefined
  if (Array.isArray(value)) return firstText(value[0], nesting + 1)
  const named = new Map(Object.entries(value).map(([key, item]) => [key.toLowerCase(), item]))
  const inner = INNER.find((name) => named.has(name))
  return inner === undefined ? undefined : firstText(named.get(inner), nesting + 1)
}

function meant(
  text: string,
  meaning: Meaning,
  values: Readonly<Record<string, unknown>>,
): string | undefined {
  if (meaning === 'command') return hostInCommand(text)
  if (text.length > MAX_TEXT) return undefined
  if (meaning === 'bare') return destinationOf(text, true)
  if (meaning === 'channel') {
    const name = /^#?([\w.@+-]{1,80})$/.exec(text.trim())?.[1]
    const sends = name !== undefined && Object.keys(values).some((key) => PAYLOADS.has(key.toLowerCase()))
    return sends ? `#${name.toLowerCase()}` : undefined
  }
  const [first = ''] = text.split(/[,;]/, 1)
  const address = destinationOf(text) ?? destinationOf(first)
  if (address !== undefined || meaning === 'address') return address
  const party = partyOf(first)
  if (party !== undefined || meaning === 'party') return party
  const name = first.trim()
  return /^[\p{L}\p{N}_.@#+ -]{1,64}$/u.test(name) ? name.toLowerCase() : undefined
}

// An account: IBAN, wallet, phone number, an id such as `acct_1Nv0`, or the token that redaction left of one of them. No
// bare digits: `to` is as often the end of a time range.
function partyOf(text: string): string | undefined {
  const value = text.trim()
  if (/^hmac:[\w.-]{1,64}:[\w-]{22}$/.test(value)) return value
  const compact = value.replace(/[ -]/g, '')
  if (/^[a-z]{2}\d{2}[a-z\d]{11,30}$/i.test(compact)) return compact.toUpperCase()
  if (/^(?:0x[\da-f]{40}|\+\d{6,15})$/i.test(compact)) return compact.toLowerCase()
  return /^[a-z]{2,8}_[a-z\d]{4,64}$/i.test(value) && /\d/.test(value) ? value.toLowerCase() : undefined
}

/**
 * The host of a URL or scp-like address or the domain of a mail address, in lower case; the bucket of an address in S3 or
 * Google Cloud Storage; with `bare` also a name by itself.
 */
export function destinationOf(text: string, bare = false): string | undefined {
  const value = text.trim()
  if (value.length > MAX_TEXT) return undefined
  const url =
    /^[a-z][a-z0-9+.-]{0,30}:\/\/(?:[^/?#@]*@)?(\[[0-9a-f:.]+\]|[^/?#:@]+)(?::\d*)?\/?([^/?#]*)/i.exec(value)
  if (url?.[1]) return bucketOf(url[1].toLowerCase(), url[2] ?? '')
  const mail = /^(?:[^<]*<)?(?:mailto:)?[^\s@<>]+@([a-z0-9.-]+\.[a-z]{2,})>?$/i.exec(value)
  if (mail?.[1]) return mail[1].toLowerCase()
  const remote = /^[\w.-]{1,64}@([\w.-]{1,253}):[^\s:]/.exec(value)
  if (remote?.[1]) return remote[1].toLowerCase()
  return bare && /^[\w.-]{1,253}$/.test(value) ? value.toLowerCase() : undefined
}

// Whoever owns the bucket gets the data; the provider’s host is everybody’s.
function bucketOf(host: string, path: string): string {
  if (host === 'storage.googleapis.com' || host === 'storage.cloud.google.com') return path || host
  if (host.endsWith('.storage.googleapis.com')) return host.slice(0, -'.storage.googleapis.com'.length)
  if (!host.endsWith('.amazonaws.com') && !host.endsWith('.amazonaws.com.cn')) return host
  const labels = host.split('.')
  const at = labels.findIndex((label) => label === 's3' || label.startsWith('s3-'))
  if (at < 0) return host
  return at === 0 ? path || host : labels.slice(0, at).join('.')
}

// Options of curl and wget that are followed by a value.
const WITH_VALUE =
  /^-(?:[a-zA-Z]*[AbcdeFHKmoOPTuUxX]|-(?:data|header|output|user|form|request|post-file|proxy)[\w-]*)$/

/** The first host that a command line talks to, as far as can be seen without running it. */
function hostInCommand(text: string): string | undefined {
  const command = text.slice(0, MAX_COMMAND)
  const url = /[a-z][a-z0-9+.-]{1,30}:\/\/(?:[^\s/?#@"'`]{0,256}@)?[^\s"'`;|&<>()$]{1,1024}/i.exec(
    command,
  )?.[0]
  const addressed = url === undefined ? undefined : destinationOf(url)
  if (addressed !== undefined) return addressed
  const device = /\/dev\/(?:tcp|udp)\/([\w.-]{1,253})\//.exec(command)?.[1]
  if (device !== undefined) return device.toLowerCase()
  for (const part of command.split(/[;|&\n]/)) {
    const [program = '', ...rest] = part.trim().replace(/["']/g, '').split(/\s+/)
    const host = hostOfProgram(program.split('/').at(-1) ?? '', rest)
    if (host !== undefined) return host.toLowerCase()
  }
  return undefined
}

function hostOfProgram(program: string, rest: readonly string[]): string | undefined {
  if (program === 'sudo') return hostOfProgram(rest[0] ?? '', rest.slice(1))
  if (program === 'scp' || program === 'rsync' || program === 'git')
    return match(rest, /^(?:[\w.-]{1,64}@|(?=[\w-]{1,63}\.))([\w.-]{1,253}):/)
  if (program === 'ssh' || program === 'sftp') return match(rest, /^[\w.-]{1,64}@([\w.-]{1,253})/)
  if (program === 'nc' || program === 'ncat' || program === 'netcat' || program === 'telnet')
    return match(rest, /^((?=.*[a-z.])[\w.-]{2,253})$/i)
  if (program !== 'curl' && program !== 'wget') return undefined
  const plain = rest.filter((word, index) => !word.startsWith('-') && !WITH_VALUE.test(rest[index - 1] ?? ''))
  return match(plain, /^([\w-]+(?:\.[\w-]+)+)(?::\d{1,5})?(?:\/|$)/)
}

function match(words: readonly string[], expression: RegExp): string | undefined {
  for (const word of words) {
    const found = word.startsWith('-') ? undefined : expression.exec(word)?.[1]
    if (found !== undefined) return found
  }
  return undefined
}
