/** A made-up secret: where it stands, and the part of it that nobody may read. */
export interface SyntheticSecret {
  readonly kind: string
  readonly text: string
  readonly secret: string
}

const ALPHABETS = {
  x: '0123456789abcdef',
  A: 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567',
  n: '0123456789',
  a: 'abcdefghijklmnopqrstuvwxyz0123456789',
  p: 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/!*#@=',
  w: 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789',
} as const

// `<20w>` stands for twenty characters of the alphabet w. What is known by its look is the whole; `«…»` marks the part
// that is known by its name or its place. No line here is a secret, for scanners to find.
const LOOKS = [
  'ghp_<36w>',
  'gho_<36w>',
  'github_pat_<22w>_<59w>',
  'glpat-<20w>',
  'glrt-<20w>',
  'xoxb-<12n>-<12n>-<24w>',
  'xapp-1-<10A>-<12n>-<64x>',
  'sk_live_<24w>',
  'rk_test_<24w>',
  'whsec_<32w>',
  'AIza<35w>',
  'ya29.<60w>',
  'GOCSPX-<28w>',
  'sk-ant-api03-<93w>AA',
  'sk-proj-<74w>',
  'hf_<34w>',
  'gsk_<52w>',
  'pplx-<48w>',
  'r8_<37w>',
  'npm_<36w>',
  'pypi-AgEIcHlwaS5vcmc<70w>',
  'rubygems_<48x>',
  'dckr_pat_<27w>',
  'dop_v1_<64x>',
  'shpat_<32x>',
  'SG.<22w>.<43w>',
  'SK<32x>',
  'dapi<32x>',
  'lin_api_<40w>',
  'ntn_<11n><35w>',
  'ATATT3<186w>',
  'hvs.<95w>',
  '<14w>.atlasv1.<64w>',
  'pul-<40x>',
  'glsa_<32w>_<8x>',
  'PMAK-<24x>-<34x>',
  'NRAK-<27A>',
  'sq0atp-<22w>',
  'dp.pt.<43w>',
  'pscale_tkn_<43w>',
  'fo1_<43w>',
  'AKIA<16A>',
  'LTAI<20w>',
  'EZAK<54w>',
  'duffel_live_<43w>',
  'xkeysib-<64x>-<16w>',
  'rdme_<70a>',
  'shippo_live_<40x>',
  'sgp_<40x>',
  'tskey-auth-<30w>',
  'figd_<40w>',
  'xai-<80w>',
  'eyJ<40w>.eyJ<60w>.<43w>',
]
const PLACES = [
  'postgres://svc:«<18w>»@db.internal:5432/orders',
  'https://«<24w>»@git.example.com/acme/shop.git',
  'https://api.example.com/v1/items?page=2&api_key=«<20w>»&sort=name',
  'Authorization: Bearer «<30w>»',
  'Authorization: Basic «<24w>»',
  'Cookie: theme=dark; sid=«<26w>»',
  'X-Api-Key: «<20p>»',
  'login failed: password=«<14p>» for bob',
  'export MYSQL_PWD=«<16w>»',
  'curl -u bob:«<16w>» https://api.example.com/',
  'tool --client-secret «<24p>» --verbose',
  'mysql -h db -u root -p«<16w>» shop',
  'Server=db;Uid=bob;Pwd=«<16w>»;Database=shop',
  '{"user":"bob","password":"«<15p>»"}',
  '{"headers":[{"name":"X-Api-Key","value":"«<22w>»"}]}',
  '{"argv":["login","--password","«<15w>»"]}',
  '{"credentials":{"prod":"«<18p>»"}}',
  '[["X-Auth-Token","«<18w>»"]]',
]

/** `count` secrets, each kind as often as the others; the same seed gives the same ones. */
export function makeSecrets(count: number, seed: number): readonly SyntheticSecret[] {
  const random = createRandom(seed)
  const kinds = [...LOOKS, ...PLACES]
  return Array.from({ length: count }, (_, index) => {
    const kind = kinds[index % kinds.length] ?? ''
    const filled = kind.replace(
      /<(\d+)([xAnapw])>/g,
      (_match, length: string, alphabet: keyof typeof ALPHABETS) =>
        Array.from({ length: Number(length) }, () => pick(ALPHABETS[alphabet], random)).join(''),
    )
    const secret = /«(.*)»/.exec(filled)?.[1]
    return secret === undefined
      ? { kind, text: index % 2 === 0 ? filled : `see ${filled} there`, secret: filled }
      : { kind, text: filled.replace(/[«»]/g, ''), secret }
  })
}

export const KIND_COUNT = LOOKS.length + PLACES.length

export function createRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }
}

const pick = (from: string, random: () => number): string => from[Math.floor(random() * from.length)] ?? ''
