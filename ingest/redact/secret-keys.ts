/**
 * What the name of an argument, header or setting says about its value:
 * - `secret`: it is one, whatever it looks like;
 * - `several`: one or many; a number is a count (`max_tokens: 4096`), everything else is secret;
 * - `opaque`: secret where it looks like one (`looksOpaque`): names that also have harmless uses.
 */
export type Secrecy = 'none' | 'secret' | 'several' | 'opaque'

// Compared with the end of the name, in lower case and without separators: `db_password`, `x-api-key`, `authToken`.
const STEMS =
  'password passwd passwort passphrase passcode passkey passwordhash pwhash secret secretkey secrettext clientsecret token ' +
  'apikey accesskey privatekey privkey signingkey signaturekey encryptionkey decryptionkey cipherkey aeskey hmackey rsakey ' +
  'sshkey deploykey pgpkey gpgkey jwtkey masterkey sharedkey sessionkey servicekey serviceaccountkey storagekey accountkey ' +
  'subscriptionkey functionskey authkey adminkey rootkey webhookkey licensekey integrationkey ingestkey writekey privatekeyid ' +
  'authorization basicauth httpauth proxyauth bearerauth bearertoken credential cred cookie serviceaccountjson ' +
  'connectionstring connstring connstr connectionstr pwd otpcode totpcode mfacode 2facode smscode authcode ' +
  'authorizationcode verificationcode securitycode onetimecode recoverycode backupcode resetcode activationcode ' +
  'codeverifier seedphrase recoveryphrase secretphrase backupphrase mnemonic mnemonicphrase walletseed seedwords dsn jwt ' +
  'clientassertion samlresponse samlassertion keymaterial socialsecuritynumber'
const ENDS = STEMS.split(' ')

// Compared with the whole name.
const WHOLE: ReadonlySet<string> = new Set(
  (
    'pass pw pin pincode pinnumber otp totp auth xauth authinfo authheader bearer cvv cvc cvvcode cvccode ssn psk wifipsk ' +
    'pfx p12 pat personalaccesstoken assertion'
  ).split(' '),
)

const OPAQUE: ReadonlySet<string> = new Set(
  (
    'sig sid connectsid sessid phpsessid jsessionid aspnetsessionid secretid appkey userkey clientkey serverkey consumerkey ' +
    'routingkey keysecret seed'
  ).split(' '),
)
const OPAQUE_ENDS = ['signature', 'sessid']

// Services whose keys have no look of their own (the families of gitleaks that go by a name): `datadog`, `HEROKU_API`.
const SERVICES = (
  'adafruit adobe airtable algolia alibaba asana atlassian confluence beamer bitbucket bittrex meraki cloudflare codecov ' +
  'cohere coinbase confluent contentful datadog droneci dropbox etsy facebook fastly finicity finnhub flickr freshbooks ' +
  'gitter gocardless heroku hubspot intercom jfrog artifactory bintray xray kraken kucoin launchdarkly linkedin lob ' +
  'mailchimp mailgun mapbox mattermost messagebird netlify newrelic nytimes okta plaid privateai rapidapi sendbird sentry ' +
  'snyk sonar sourcegraph squarespace sumologic telegram travisci twitch twitter typeform yandex zendesk openai anthropic ' +
  'mistral elevenlabs pinecone'
).split(' ')
const SERVICE = new RegExp(
  `(?:${SERVICES.join('|')})(?:api|access|client|auth|bot|app|oauth|login|private|webhook|signing)*$`,
)

// Before a `pass` or `pw` at the end; `bypass`, `boarding_pass` and `first_pass` are no passwords.
const PASS_OF =
  /(?:(?:git|hub|lab|azure|ado|devops|jira|user|my|bucket|databricks|access)pat|(?:db|database|sql|pg|postgres|oracle|mongo|redis|user|usr|admin|root|sudo|su|smtp|imap|mail|email|ftp|ssh|ldap|bind|login|api|app|application|service|svc|proxy|wifi|key|keystore|truststore|master|new|old|auth|http|mq|rabbitmq|amqp|vpn|crypt|cert|store|vault|jdbc|repl|account|client|server|my|basic|zip|pdf|sshpass|become|enable|host|connection|network)p(?:ass|w))$/

// A name may go on after what it names: `password1`, `secret_value`, `private_key_pem`, `auth_header`.
const TAIL =
  /(?:\d+|values?|string|str|text|plaintext|cleartext|pem|json|headers?|base64|b64|hex|raw|encoded|encrypted|data|env|var|current|previous|old|new|primary|secondary|default|live|test|prod|production|staging|dev)$/

// Places in a list, marks of a language model: not secrets, and hiding them would hide what an agent did.
const HARMLESS =
  /(?:page|next|prev|previous|continuation|progress|sync|start|cursor|scroll|resume|delta|eos|bos|pad|unk|mask|sep|cls|stop|special)tokens?$/

const PLAIN_COUNT = /^[+-]?\d{1,15}(?:\.\d{1,6})?$/
const MAX_KNOWN = 10_000
const LONGEST_KNOWN = 128

/**
 * Words of which every name that says anything has one, so that a text without any of them need not be parsed.
 * Held to the test of names by `test/unit/ingest/redact-keys.test.ts`.
 */
export const NAME_KEYWORDS: readonly string[] = [
  ...(
    'pass pwd secret token key auth cred cookie conn otp mfa 2fa smscode sms_code sms-code verif security one_time one-time ' +
    'onetime recover backup reset activation code_ver codever seed mnemonic phrase dsn jwt assert saml bearer cvv cvc ssn psk pwhash ' +
    'pfx p12 pincode pin_code pin_number pinnumber sessid connect.sid signature social jsessionid'
  ).split(' '),
  ...['pin', 'pat', 'sig', 'sid', 'pw'].flatMap((name) =>
    ['=', ':', '"', "'", '\\', ' ', '\t', '%', '`', ','].map((end) => name + end),
  ),
  ...SERVICES.filter((service) => !['newrelic', 'travisci', 'sumologic', 'privateai'].includes(service)),
  ...['new_relic', 'new-relic', 'newrelic', 'travis', 'sumo', 'private_ai', 'private-ai', 'privateai'],
  ...'0123456789'.split('').map((digit) => `pin${digit}`),
  ...['service_account', 'service-account', 'serviceaccount'],
]

/** What names say, however they are spelt: `apiKey`, `API-KEY` and `api_key` are the same. Remembers what it was asked. */
export function createSecrecyOf(): (name: string) => Secrecy {
  const known = new Map<string, Secrecy>()
  return (name) => {
    const before = known.get(name)
    if (before !== undefined) return before
    // The end of a name says what it names.
    const secrecy = judge(
      name
        .slice(-LONGEST_KNOWN)
        .toLowerCase()
        .replace(/[^a-z0-9]/g, ''),
    )
    if (known.size >= MAX_KNOWN) known.clear()
    if (name.length <= LONGEST_KNOWN) known.set(name, secrecy)
    return secrecy
  }
}

function judge(plain: string): Secrecy {
  for (let name = plain; name !== ''; ) {
    const secrecy = judgeStem(name)
    if (secrecy !== 'none') return secrecy
    const shorter = name.replace(TAIL, '')
    if (shorter === name) break
    name = shorter
  }
  return 'none'
}

function judgeStem(name: string): Secrecy {
  if (HARMLESS.test(name)) return 'none'
  if (WHOLE.has(name) || PASS_OF.test(name) || ENDS.some((end) => name.endsWith(end))) return 'secret'
  if (OPAQUE.has(name) || OPAQUE_ENDS.some((end) => name.endsWith(end)) || SERVICE.test(name)) return 'opaque'
  if (!name.endsWith('s')) return 'none'
  const single = name.slice(0, -1)
  return ENDS.some((end) => single.endsWith(end)) || single === 'pat' || single === 'pin' ? 'several' : 'none'
}

/** A number, or text that is one. */
export const isCount = (value: unknown): boolean =>
  typeof value === 'number' || (typeof value === 'string' && PLAIN_COUNT.test(value))

// So much of a value shows how it is made.
const LONGEST_LOOK = 128

/**
 * Whether a value looks made by a machine to be hard to guess: one long run that mixes letters and digits. Judged by its
 * beginning.
 */
export function looksOpaque(value: string): boolean {
  const look = value.slice(0, LONGEST_LOOK)
  return (
    look.length >= 16 && !/\s/.test(look) && /\d/.test(look) && /[a-z]/i.test(look) && entropyOf(look) > 2.5
  )
}

/** Shannon entropy in bits per character (gitleaks judges by the same measure). */
export function entropyOf(text: string): number {
  const counts = new Map<string, number>()
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1)
  let bits = 0
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length)
  return bits
}
