import type { Hide } from './named-values.ts'

const RUN = /^[^\s"'<>`\\]+/
const LONGEST = 2048
const WEB = /^(?:https?|wss?|git\+https?|ftps?)$/i
const PORT = /^\d{1,5}$/
const HOST = /^(?:\[[0-9a-f:.]+\]|[\w-]+(?:\.[\w-]+)*\.?)(?::\d{1,5})?(?:,|$|[/?#])/i
const FULL_HOST = /^(?:\[[0-9a-f:.]+\]|localhost|[\w-]+(?:\.[\w-]+)+\.?|[\w-]+:\d{2,5})(?:[:/?#,]|$)/i
// User names that come with a token in place of the password.
const NO_SECRET =
  /^(?:git|x-access-token|x-token-auth|x-oauth-basic|oauth2?|token|user|anonymous|apikey|gitlab-ci-token|hg|ssh)$/i

/**
 * The secrets before the host of a URL: `scheme://user:password@host`, where the password may hold `/`, `?`, `#` and `@`
 * although RFC 3986 wants them escaped, and tokens in place of the user. Reads every URL once.
 */
export function replaceUrlUserinfo(text: string, hide: Hide): string {
  let made = ''
  let done = 0
  for (let mark = text.indexOf('://'); mark !== -1; mark = text.indexOf('://', mark + 3)) {
    const start = mark + 3
    if (start < done) continue
    // An address within the address is looked at by itself.
    const inner = text.indexOf('://', start)
    const end = inner === -1 ? start + LONGEST : Math.min(inner, start + LONGEST)
    const rest = RUN.exec(text.slice(start, end))?.[0] ?? ''
    const userinfo = userinfoOf(rest, WEB.test(schemeBefore(text, mark)))
    if (userinfo === undefined) continue
    const clean = hideUserinfo(userinfo, hide)
    if (clean === userinfo) continue
    made += text.slice(done, start) + clean
    done = start + userinfo.length
  }
  return done === 0 ? text : made + text.slice(done)
}

function schemeBefore(text: string, mark: number): string {
  return /[a-z][a-z0-9+.-]{0,30}$/i.exec(text.slice(Math.max(0, mark - 31), mark))?.[0] ?? ''
}

function userinfoOf(rest: string, web: boolean): string | undefined {
  const at = rest.lastIndexOf('@')
  if (at === -1) return undefined
  const authority = /^[^/?#]*/.exec(rest)?.[0] ?? ''
  const inAuthority = authority.lastIndexOf('@')
  if (inAuthority !== -1) {
    // `u:a@b/c@host`: what follows the first @ is no host by itself, what follows a later one is.
    const host = authority.slice(inAuthority + 1)
    const extends_ =
      at > inAuthority && host !== '' && !FULL_HOST.test(`${host}/`) && FULL_HOST.test(rest.slice(at + 1))
    return rest.slice(0, extends_ ? at : inAuthority)
  }
  const colon = authority.indexOf(':')
  if (colon < 1) return undefined
  // A number before the path is a port, unless it is no web address.
  if (PORT.test(authority.slice(colon + 1)) && web) return undefined
  if (authority.startsWith('[')) return undefined
  return HOST.test(rest.slice(at + 1)) ? rest.slice(0, at) : undefined
}

function hideUserinfo(userinfo: string, hide: Hide): string {
  const tokenAtStart = /^hmac:[\w-]{1,64}:[\w-]{22}/.exec(userinfo)?.[0] ?? ''
  const colon = userinfo.indexOf(':', tokenAtStart.length)
  const user = colon === -1 ? userinfo : userinfo.slice(0, colon)
  const password = colon === -1 ? '' : userinfo.slice(colon + 1)
  const cleanUser = looksLikeToken(user) ? hide(user) : user
  if (colon === -1) return cleanUser
  return `${cleanUser}:${password === '' || NO_SECRET.test(password) ? password : hide(password)}`
}

// Where a token stands for the user it is long, or mixes digits and letters; people’s names do not.
const looksLikeToken = (user: string): boolean =>
  !NO_SECRET.test(user) &&
  !user.includes('.') &&
  ((user.length >= 8 && /\d/.test(user) && /[a-z]/i.test(user)) || user.length >= 20)
