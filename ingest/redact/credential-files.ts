import type { Hide } from './named-values.ts'

/** Words that call for `replaceNetrc`. */
export const NETRC_KEYWORDS: readonly string[] = ['machine ', 'default login']

/**
 * Words that call for `replacePgpass`: a line of it has no name in it, only places. Ports other than the usual ones are known
 * where the file is named.
 */
export const PGPASS_KEYWORDS: readonly string[] = [
  'pgpass',
  ...['5432', '5433', '5434', '5435', '6432', '6543', '15432', '25060', '25432', '26257', '*'].map(
    (port) => `:${port}:`,
  ),
]

// `machine h login u password x`, on one line or several; `default` stands for every machine.
const NETRC =
  /((?<![\w-])(?:machine\s{1,16}[^\s"'`]{1,255}|default(?=\s{1,16}(?:login|user)))(?:\s{1,16}(?:login|user|account)\s{1,16}[^\s]{1,255}){0,2}\s{1,16}(?:password|passwd)\s{1,16}["']?)((?<=")[^"\r\n\\]{1,512}(?=")|[^\s"'`<>\\]{1,512})/gi

// `host:port:database:user:password`, five fields and no more, on a line of its own or between quotes. The database is no
// number: a place in a file is `name:line:column`.
const PGPASS =
  /((?:^|(?<=["'`]|\\n))(?:\*|\/?[\w.-]{1,255}|\/[\w./-]{1,255}):(?:\*|\d{4,5}):(?:\*|(?!\d{1,9}:)[\w.$-]{1,63}):[\w.$@-]{1,63}:)((?:[^\s:"'`\\]|\\[:\\]){4,256})(?=[ \t]{0,8}(?:\r?$|["'`]|\\[rn]))/gm

/** The passwords in lines of `.netrc`, which have no sign between name and value. */
export const replaceNetrc = (text: string, hide: Hide): string => replaceLast(text, NETRC, hide)

/** The passwords at the end of lines of `.pgpass`. */
export const replacePgpass = (text: string, hide: Hide): string => replaceLast(text, PGPASS, hide)

const replaceLast = (text: string, expression: RegExp, hide: Hide): string =>
  text.replace(expression, (match: string, kept: string, secret: string) =>
    /^\*+$/.test(secret) ? match : kept + hide(secret),
  )
