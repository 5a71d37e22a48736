import { inertText } from '../core/text.ts'
import type { Digest, Tally } from './digest.ts'
import { shortTime } from './summary.ts'

/** A digest in words that every receiver can show. All text is inert (`core/text.ts`). */
export interface DigestSummary {
  /** `395 alerts in one digest`. */
  readonly what: string
  readonly sentence: string
  readonly source: string
  /** `critical 390, high 5`, and the like. */
  readonly severities: string
  readonly rules: string
  readonly parties: string
  readonly notices: string
  /** A line each: severity, title, whom it is about. */
  readonly top: readonly string[]
  /** The list of all that it stands for, in the API. */
  readonly api: string
  /** The same in the dashboard; absent when no public address is configured. */
  readonly link?: string
}

/** @param publicUrl address of the dashboard, without trailing slash; undefined for no links */
export function summarizeDigest(digest: Digest, publicUrl: string | undefined): DigestSummary {
  const { count, tenant } = digest
  const source = digest.source === '' ? 'no source' : inertText(digest.source, 120)
  return {
    what: `${count} ${count === 1 ? 'alert' : 'alerts'} in one digest`,
    sentence: `Beyond the budget of messages alone: ${count} ${count === 1 ? 'alert' : 'alerts'} of ${
      digest.source === '' ? source : `source ${source}`
    } (tenant ${inertText(tenant, 80)}), ${shortTime(digest.first_at)} to ${shortTime(digest.last_at)}.`,
    source,
    severities: listed(digest.by_severity),
    rules: tallyText(digest.by_rule),
    parties: tallyText(digest.by_party),
    notices: tallyText(digest.by_notice),
    top: digest.top.map(
      ({ severity, title, party }) =>
        `${severity.toUpperCase()} ${inertText(title, 150)} (${inertText(party, 60)})`,
    ),
    api: digestPath(digest.digest_id),
    ...(publicUrl === undefined ? {} : { link: digestLink(publicUrl, digest.digest_id) }),
  }
}

const digestPath = (digestId: string): string => `/v1/alerts?digest=${encodeURIComponent(digestId)}`

/** The alerts of a digest in the dashboard. */
export const digestLink = (publicUrl: string, digestId: string): string =>
  `${publicUrl.replace(/\/+$/, '')}/#/alerts?digest=${encodeURIComponent(digestId)}`

const listed = (names: Tally['names']): string =>
  names.map(({ name, count }) => `${inertText(name, 60).replaceAll('_', ' ')} ${count}`).join(', ')

const tallyText = ({ names, more }: Tally): string =>
  `${listed(names)}${more.names === 0 ? '' : `, and ${more.names} more with ${more.count}`}`
