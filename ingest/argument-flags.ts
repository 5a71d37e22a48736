import { isUtf8 } from 'node:buffer'
import type { ArgumentFlag } from '../core/audit-event.ts'

// Percent-encodings are undone until nothing changes, at most so often; what is still encoded then hides something.
const MAX_ROUNDS = 3
const LONGEST_LOOK = 65_536

// Nearly all arguments have none of these, and pay for one look only.
const SUSPECT =
  /\.\.|%[0-9a-f]{2}|[\u202a-\u202e\u2066-\u2069\u200b\ufeff\u{e0000}-\u{e007f}]|\\u0000|\/etc\/|\/proc\/|\.ssh|\.aws|\.env\b|\.kube|id_rsa|\$\(|`|[;|&]\s{0,4}[a-z]|union|\bor\b|drop\s|<script|javascript:|on(?:error|load)=|ignore|disregard|<important|system prompt|169\.254|metadata\.google|fd00:ec2|[\uff0e\u2024\uff0f\u2215\u2044]/iu

const SHAPES: readonly (readonly [ArgumentFlag, RegExp])[] = [
  ['path-traversal', /(?:^|[/\\"'=\s])\.\.(?:[/\\]|$|["'])/],
  [
    'sensitive-path',
    /(?:\/etc\/(?:passwd|shadow|sudoers|ssh\/)|\/proc\/(?:self|\d{1,7})\/(?:environ|maps|mem|cmdline)|(?:^|[/~"'=\s])\.(?:ssh\/|aws\/credentials|kube\/config|netrc|npmrc|docker\/config\.json|env(?:\.[a-z]{1,20})?(?:["'\s]|$))|\bid_(?:rsa|ed25519|ecdsa)\b)/i,
  ],
  [
    'shell-injection',
    /(?:\$\([^)]{1,200}\)|`(?:id|whoami|uname|hostname|env|ls|cat|curl|wget|nc|sh|bash)\b[^`\n]{0,200}`|[;|&]\s{0,4}(?:rm|curl|wget|nc|ncat|bash|sh|zsh|python3?|perl|chmod|base64|eval)\s)/i,
  ],
  [
    'sql-injection',
    /(?:\bunion\s{1,8}(?:all\s{1,8})?select\b|['"]\s{0,8}or\s{1,8}(['"]?)(\w{0,20})\1\s{0,8}=\s{0,8}\1\2\b|['"]\s{0,8}or\s{1,8}(?:true|1)\b|;\s{0,8}drop\s{1,8}(?:table|database)\b|\bsleep\(\d{1,4}\)|\bxp_cmdshell\b)/i,
  ],
  [
    'script-injection',
    /<script[\s>/]|javascript:[^\s]|<[a-z]{1,10}[^<>]{0,200}\son(?:error|load|click)\s{0,4}=/i,
  ],
  [
    'prompt-injection',
    /(?:\b(?:ignore|disregard|forget)\b[^.!?\n]{0,40}\b(?:previous|prior|above|earlier|all|your)\b[^.!?\n]{0,40}\b(?:instructions?|prompts?|rules|messages?|context)\b|<important>|\bsystem prompt\b[^.!?\n]{0,40}\b(?:reveal|print|show|repeat)|\b(?:reveal|print|show|repeat)\b[^.!?\n]{0,40}\bsystem prompt\b|[\u{e0000}-\u{e007f}]{2})/iu,
  ],
  [
    'metadata-address',
    /169\.254\.169\.254|metadata\.google\.internal|\[?fd00:ec2::254\]?|100\.100\.100\.200/i,
  ],
  // NUL ends a text for C programs; the others turn or hide what a person reads.
  ['control-characters', /[\u202a-\u202e\u2066-\u2069]|\\u0000/],
]

/**
 * Shapes in arguments that an attack needs and ordinary work rarely has. A flag is a fact about the text, not a
 * verdict: detectors and people weigh it.
 *
 * The flags of a call’s arguments (JSON text or running text), in the order of `ARGUMENT_FLAGS`. Looks at the text as
 * it is and with percent-encodings, fullwidth dots and slashes undone. Linear in the text, of which the first
 * 64 KiB count.
 */
export function flagArguments(text: string): readonly ArgumentFlag[] {
  if (!SUSPECT.test(text) && !text.includes('\0')) return []
  const { decoded, undone } = decodeWholly(text.slice(0, LONGEST_LOOK))
  return SHAPES.filter(
    ([flag, shape]) =>
      shape.test(decoded) || (flag === 'path-traversal' && !undone && /%25|%2e|%2f|%5c/i.test(decoded)),
  ).map(([flag]) => flag)
}

function decodeWholly(text: string): { decoded: string; undone: boolean } {
  let decoded = foldLookalikes(text)
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const next = foldLookalikes(undoPercent(decoded))
    if (next === decoded) return { decoded, undone: true }
    decoded = next
  }
  return { decoded, undone: undoPercent(decoded) === decoded }
}

// Run by run: one that is no UTF-8 stays as it is, and the others are still undone.
const undoPercent = (text: string): string =>
  text.replace(/(?:%[0-9a-f]{2}){1,64}/gi, (run) => {
    const bytes = Buffer.from(run.replaceAll('%', ''), 'hex')
    if (isUtf8(bytes)) return bytes.toString('utf8')
    return run.replace(/%([2-7][0-9a-f])/gi, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    )
  })

// Characters that some programs read as dot or slash; and NUL as JSON writes it.
const foldLookalikes = (text: string): string =>
  text
    .replace(/[\uff0e\u2024]/g, '.')
    .replace(/[\uff0f\u2215\u2044]/g, '/')
    .replaceAll('\\\\', '\\')
    .replaceAll('\0', '\\u0000')
