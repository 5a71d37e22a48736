const ENDS = [
  'password',
  'passwd',
  'passphrase',
  'passcode',
  'secret',
  'secretkey',
  'token',
  'apikey',
  'accesskey',
  'privatekey',
  'signingkey',
  'encryptionkey',
  'authorization',
  'credential',
  'credentials',
  'cookie',
  'cookies',
  'connectionstring',
  'privatekeyid',
  'otpcode',
  'mfacode',
] as const

const WHOLE: ReadonlySet<string> = new Set([
  'pwd',
  'pass',
  'pin',
  'otp',
  'totp',
  'auth',
  'jwt',
  'bearer',
  'cvv',
  'cvc',
  'dsn',
  'xapikey',
  'xauth',
  'awssecretaccesskey',
])

// Places in a list, not secrets: redacting them would only hide what an agent paged through.
const HARMLESS = ['pagetoken', 'nexttoken', 'continuationtoken', 'progresstoken', 'synctoken', 'starttoken']

const MAX_KNOWN = 10_000

/** Whether the name of an argument or header says that its value is a secret, however it is spelt. */
export function createSecretKeyTest(): (key: string) => boolean {
  const known = new Map<string, boolean>()
  return (key) => {
    const before = known.get(key)
    if (before !== undefined) return before
    const plain = key.toLowerCase().replace(/[^a-z0-9]/g, '')
    const secret =
      WHOLE.has(plain) ||
      (ENDS.some((end) => plain.endsWith(end)) && !HARMLESS.some((end) => plain.endsWith(end)))
    if (known.size >= MAX_KNOWN) known.clear()
    if (key.length <= 128) known.set(key, secret)
    return secret
  }
}
