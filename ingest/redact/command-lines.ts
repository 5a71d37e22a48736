import { type Hide, hideValue } from './named-values.ts'
import type { Secrecy } from './secret-keys.ts'

/** Words that call for `replaceCommandSecrets`. */
export const COMMAND_KEYWORDS: readonly string[] = [
  ...['-u ', '-u"', "-u'", '-u\\'],
  ...[
    '--user',
    '--proxy-user',
    'mysql',
    'mariadb',
    'sshpass',
    'redis-cli',
    ' login',
    'ldap',
    'mongo',
    'pass:',
    'http',
    'xh ',
    'zip ',
    '7z',
    'rar ',
    'mosquitto_',
    'smbclient',
    'rpcclient',
    'openssl',
    'freerdp',
    'convertto-securestring',
  ],
]

// What follows a program’s own short flag: `curl -u user:secret`, `mysql -psecret`, `sshpass -p secret`, `redis-cli -a secret`.
const USER_PASSWORD =
  /((?:^|[\s"'(])(?:-u|-U|--user|--proxy-user)(?:=|[ \t]{0,4})\\{0,4}["']?[^\s:"'\\]{1,100}:)([^\s"'\\]{1,512})/g
const MYSQL =
  /((?<![\w-])(?:mysql|mysqldump|mysqladmin|mysqlimport|mariadb|mariadb-dump)(?=\s)[^\n|;&]{0,256}?\s-p)([^\s"'\\]{1,256})/g
const SHORT_FLAG =
  /((?<![\w-])(?:sshpass|redis-cli|docker login|podman login|helm registry login|az login|oc login|ldapsearch|ldapmodify|mongosh?|mongodump)(?=\s)[^\n|;&]{0,256}?\s-(?:p|a|w)[ \t]{0,4}["']?)([^\s"'\\-][^\s"'\\]{0,256})/g
const OPENSSL = /((?<![\w-])-?pass(?:in|out)?[ =]pass:)([^\s"'\\]{1,256})/g
const HTTPIE =
  /((?<![\w-])(?:https?|httpie|xhs?)(?=\s)[^\n|;&]{0,256}?\s(?:-a|--auth)(?:=|[ \t]{1,4})\\{0,4}["']?[^\s:"'\\]{1,100}:)([^\s"'\\]{1,512})/g
const CAPITAL_P =
  /((?<![\w-])(?:unzip|zip|zipcloak|mosquitto_pub|mosquitto_sub)(?=\s)[^\n|;&]{0,256}?\s-P[ \t]{0,4}\\{0,4}["']?)([^\s"'\\-][^\s"'\\]{0,256})/g
const ARCHIVE =
  /((?<![\w-])(?:7z|7za|7zr|7zz|rar|unrar)(?=\s)[^\n|;&]{0,256}?\s-h?p\\{0,4}["']?)([^\s"'\\-][^\s"'\\]{1,256})/g
const SAMBA =
  /((?<![\w-])(?:smbclient|rpcclient|smbget)(?=\s)[^\n|;&]{0,256}?\s(?:-U|--user)(?:=|[ \t]{0,4})\\{0,4}["']?[^\s%"'\\]{1,100}%)([^\s"'\\]{1,256})/g
const OPENSSL_ENC =
  /((?<![\w-])openssl(?=\s)[^\n|;&]{0,256}?\s-k[ \t]{1,4}\\{0,4}["']?)([^\s"'\\-][^\s"'\\]{0,256})/g
const FREERDP = /((?<![\w-])[xws]?freerdp3?(?=\s)[^\n|;&]{0,256}?\s\/p:\\{0,4}["']?)([^\s"'\\]{1,256})/g
const SECURE_STRING =
  /(\bConvertTo-SecureString[ \t]{1,4}(?:-\w{1,16}[ \t]{1,4}){0,3}\\{0,4}["'])([^"'\\\n$]{1,256})/gi
const INTO_SECURE_STRING =
  /(["'])([^"'\\\n$]{1,256})(?=\\{0,4}["'][ \t]{0,4}\|[ \t]{0,4}ConvertTo-SecureString)/gi
const IDS = /^\d{1,10}$/

/** The secrets of programs whose flags do not say “password”, in a command line as text. */
export function replaceCommandSecrets(text: string, hide: Hide): string {
  const replacer = (_: string, kept: string, secret: string): string =>
    kept + (IDS.test(secret) ? secret : hide(secret))
  let clean = text
  for (const { expression, needs } of COMMANDS) {
    const said = clean
    if (needs.every((words) => words.some((word) => said.includes(word))))
      clean = clean.replace(expression, replacer)
  }
  return clean
}

interface Command {
  readonly expression: RegExp
  /** Of each list one word stands in whatever the expression matches. To look for a word costs next to nothing. */
  readonly needs: readonly (readonly string[])[]
}

const COMMANDS: readonly Command[] = [
  { expression: USER_PASSWORD, needs: [['-u', '-U']] },
  { expression: MYSQL, needs: [['-p'], ['mysql', 'mariadb']] },
  {
    expression: SHORT_FLAG,
    needs: [
      ['-p', '-a', '-w'],
      ['sshpass', 'redis-cli', 'login', 'ldap', 'mongo'],
    ],
  },
  { expression: OPENSSL, needs: [['pass:']] },
  { expression: HTTPIE, needs: [['-a'], ['http', 'xh']] },
  { expression: CAPITAL_P, needs: [['-P'], ['zip', 'mosquitto_']] },
  {
    expression: ARCHIVE,
    needs: [
      ['-p', '-hp'],
      ['7z', 'rar'],
    ],
  },
  { expression: SAMBA, needs: [['%'], ['smb', 'rpcclient']] },
  { expression: OPENSSL_ENC, needs: [['-k'], ['openssl']] },
  { expression: FREERDP, needs: [['/p:'], ['freerdp']] },
  // In any case of letters; few programs have a `-S` in their names.
  { expression: SECURE_STRING, needs: [['-s', '-S']] },
  { expression: INTO_SECURE_STRING, needs: [['-s', '-S'], ['|']] },
]

const FLAG = /^--?([A-Za-z][\w-]{2,40})$/
const HEADER_NAME = /^(?:authorization|proxy-authorization|cookie|set-cookie|[\w]+(?:-[\w]+)+)$/i
const PROGRAM_WITH_P =
  /(?:^|\/)(?:mysql|mysqldump|mysqladmin|mysqlimport|mariadb|mariadb-dump|sshpass|ldapsearch|ldapmodify|mongo|mongosh|mongodump)$/

/**
 * Which items of a list of texts are secrets because of the item before them, as a map from index to what replaces
 * it: pairs (`["X-Api-Key", "…"]`), raw headers (`[name, value, name, value]`), arguments of a program
 * (`["--password", "…"]`, `["-u", "user:…"]`, `["mysql", "-p…"]`).
 */
export function secretItems(
  items: readonly unknown[],
  secrecyOf: (name: string) => Secrecy,
  hide: Hide,
): ReadonlyMap<number, string> | undefined {
  let found: Map<number, string> | undefined
  const program = items.some(
    (item) => typeof item === 'string' && item.length < 256 && PROGRAM_WITH_P.test(item),
  )
  for (let at = 0; at < items.length; at++) {
    const item = items[at]
    if (typeof item !== 'string' || item.length > 256) continue
    const next = items[at + 1]
    const following = typeof next === 'number' ? String(next) : next
    const replaced = own(item, program, hide)
    if (replaced !== undefined) {
      found ??= new Map()
      found.set(at, replaced)
    } else if (typeof following === 'string' && following !== '') {
      const clean = afterItem(item, following, { pair: items.length === 2, program, secrecyOf, hide })
      if (clean === undefined || clean === following) continue
      found ??= new Map()
      found.set(++at, clean)
    }
  }
  return found
}

function own(item: string, program: boolean, hide: Hide): string | undefined {
  return program && /^-p.{2,}/.test(item) && !item.startsWith('-p=') ? `-p${hide(item.slice(2))}` : undefined
}

interface Around {
  readonly pair: boolean
  readonly program: boolean
  readonly secrecyOf: (name: string) => Secrecy
  readonly hide: Hide
}

function afterItem(
  item: string,
  next: string,
  { pair, program, secrecyOf, hide }: Around,
): string | undefined {
  if (/^(?:-u|-U|--user|--proxy-user)$/.test(item)) {
    const colon = next.indexOf(':')
    const secret = next.slice(colon + 1)
    return colon < 1 || secret === '' || IDS.test(secret)
      ? undefined
      : next.slice(0, colon + 1) + hide(secret)
  }
  if (program && /^-[pw]$/.test(item) && !next.startsWith('-')) return hide(next)
  const flag = FLAG.exec(item)?.[1]
  if (flag === undefined && !pair && !HEADER_NAME.test(item)) return undefined
  if (flag !== undefined && next.startsWith('-')) return undefined
  const secrecy = item.length > 80 ? 'none' : secrecyOf(flag ?? item)
  return secrecy === 'none' ? undefined : hideValue(next, flag ?? item, secrecy, hide)
}
