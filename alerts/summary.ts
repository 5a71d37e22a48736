import type { Severity } from '../core/finding.ts'
import { cutText, inertText } from '../core/text.ts'
import type { Notice } from './notifier.ts'

/** A notice in words that every receiver can show: no click needed. All text is inert (`core/text.ts`). */
export interface Summary {
  /** `volume spike`, `off-hours calls`, … */
  readonly what: string
  readonly severity: Severity
  /** One sentence: observed against expected. */
  readonly sentence: string
  readonly observed?: string
  readonly expected?: string
  /** Whom it is about: the actor, else the entity. */
  readonly about: string
  readonly rule: string
  /** ISO 8601, or empty when a person’s action caused the notice. */
  readonly windowStart: string
  readonly windowEnd: string
  /** The first five. */
  readonly eventIds: readonly string[]
  readonly eventCount: number
  readonly findingCount: number
  /** Where the alert can be worked on; absent when no public address is configured. */
  readonly link?: string
}

const KINDS: Readonly<Record<string, string>> = {
  volume: 'Volume spike',
  'off-hours': 'Off-hours calls',
  'new-value': 'New tool usage',
  chain: 'Chained calls',
}

/** @param publicUrl address of the dashboard, without trailing slash; undefined for no links */
export function summarize(notice: Notice, publicUrl: string | undefined): Summary {
  const { alert, finding } = notice
  const observed = shortText(finding?.explanation.observed)
  const expected = shortText(finding?.explanation.expected)
  return {
    what: KINDS[alert.detector] ?? inertText(alert.detector, 40),
    severity: alert.severity,
    sentence: inertText(sentenceOf(notice), 500),
    ...(observed === undefined ? {} : { observed }),
    ...(expected === undefined ? {} : { expected }),
    about: inertText(alert.actor || `${alert.entity.type} ${alert.entity.id}`, 150),
    rule: inertText(alert.rule, 100),
    windowStart: finding?.window.start ?? '',
    windowEnd: finding?.window.end ?? '',
    eventIds: (finding?.event_ids ?? []).slice(0, 5).map((id) => inertText(id, 80)),
    eventCount: finding?.event_count ?? 0,
    findingCount: alert.finding_count,
    ...(publicUrl === undefined ? {} : { link: alertLink(publicUrl, alert.alert_id) }),
  }
}

/** What the notice says; text of others, not inert. */
export const sentenceOf = ({ kind, alert, finding }: Notice): string => {
  const title = finding?.title ?? alert.title
  return kind === 'taken_back' ? `No longer holds, because records came that say otherwise: ${title}` : title
}

/** The alert’s page in the dashboard. */
export const alertLink = (publicUrl: string, alertId: string): string =>
  `${publicUrl.replace(/\/+$/, '')}/#/alerts/${encodeURIComponent(alertId)}`

/** `2026-08-21T14:03:11.482915Z` → `2026-08-21 14:03 UTC`. */
export const shortTime = (time: string): string =>
  time === '' ? '' : `${time.slice(0, 10)} ${time.slice(11, 16)} UTC`

// Explanations are numbers, sentences or small objects, as the detector sees fit.
function shortText(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'string') return inertText(value, 300)
  if (typeof value !== 'object' || Array.isArray(value)) return inertText(JSON.stringify(value) ?? '', 300)
  const parts = Object.entries(value)
    .map(([key, entry]) => [key, Array.isArray(entry) ? listText(entry) : entry] as const)
    .filter(([, entry]) => entry !== null && entry !== undefined && typeof entry !== 'object')
    .map(([key, entry]) => `${inertText(key, 40).replaceAll('_', ' ')} ${inertText(numberText(entry), 80)}`)
  return parts.length === 0 ? inertText(JSON.stringify(value), 300) : cutText(parts.join(', '), 300)
}

// The first few of a list of words; lists of objects are for the dashboard.
function listText(entries: readonly unknown[]): string | undefined {
  if (entries.length === 0 || entries.some((entry) => typeof entry === 'object')) return undefined
  return `${entries.slice(0, 5).join(' ')}${entries.length > 5 ? ` and ${entries.length - 5} more` : ''}`
}

const numberText = (value: unknown): string =>
  typeof value === 'number' && !Number.isInteger(value) ? value.toPrecision(3) : String(value)
