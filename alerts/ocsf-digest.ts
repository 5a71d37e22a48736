import { cutText } from '../core/text.ts'
import type { Digest } from './digest.ts'
import { digestLink, summarizeDigest } from './digest-summary.ts'
import { OCSF_VERSION, SEVERITY_IDS } from './ocsf.ts'
import { alertLink } from './summary.ts'

export interface OcsfDigestOptions {
  readonly publicUrl?: string | undefined
  /** Longest name or sentence, in UTF-16 units. */
  readonly maxText: number
}

/**
 * A digest as OCSF Incident Finding (category 2, class 2005): its most severe alerts are in `finding_info_list`, the figures of
 * all under `unmapped`. Pure; times are milliseconds since the epoch, as OCSF wants them.
 */
export function toIncidentFinding(
  digest: Digest,
  { publicUrl, maxText }: OcsfDigestOptions,
): Record<string, unknown> {
  // For machines, so not made inert; but nobody’s name may fill the message.
  const clip = (value: string): string => cutText(value, maxText)
  const clipped = (names: readonly { readonly name: string; readonly count: number }[]) =>
    names.map(({ name, count }) => ({ name: clip(name), count }))
  const { api, sentence } = summarizeDigest(digest, publicUrl)
  return {
    activity_id: 1,
    activity_name: 'Create',
    category_uid: 2,
    category_name: 'Findings',
    class_uid: 2005,
    class_name: 'Incident Finding',
    type_uid: 200501,
    type_name: 'Incident Finding: Create',
    time: Date.parse(digest.at),
    start_time: Date.parse(digest.first_at),
    end_time: Date.parse(digest.last_at),
    severity_id: SEVERITY_IDS[digest.severity],
    severity: digest.severity,
    status_id: 1,
    status: 'New',
    is_alert: true,
    message: cutText(sentence, 600),
    count: digest.count,
    metadata: {
      version: OCSF_VERSION,
      profiles: ['incident'],
      product: { name: 'gatewatch', vendor_name: 'gatewatch' },
      tenant_uid: clip(digest.tenant),
      // Digests of one source.
      correlation_uid: digest.row,
    },
    ...(publicUrl === undefined ? {} : { src_url: digestLink(publicUrl, digest.digest_id) }),
    finding_info_list: digest.top.map(({ alert_id, title, rule }) => ({
      uid: alert_id,
      title: clip(title),
      analytic: { uid: clip(rule), name: clip(rule), type_id: 1, type: 'Rule' },
      ...(publicUrl === undefined ? {} : { src_url: alertLink(publicUrl, alert_id) }),
    })),
    unmapped: {
      gatewatch: {
        digest_id: digest.digest_id,
        notice: digest.kind,
        source: clip(digest.source),
        alerts: digest.count,
        list: api,
        by_severity: digest.by_severity,
        by_rule: clipped(digest.by_rule.names),
        more_rules: digest.by_rule.more,
        by_party: clipped(digest.by_party.names),
        more_parties: digest.by_party.more,
        by_notice: clipped(digest.by_notice.names),
        top: digest.top.map((entry) => ({
          alert_id: entry.alert_id,
          notice: entry.notice,
          severity: entry.severity,
          party: clip(entry.party),
        })),
      },
    },
  }
}
