import type { ComponentChildren, JSX } from 'preact'
import type { Finding } from '../api-client.ts'
import { link } from '../location.ts'
import { Kind, Severity } from './marks.tsx'
import { Ago, Plain } from './plain.tsx'

/** A finding in a list: the sentence first, then who, when and what became of it. */
export function FindingRow({
  finding,
  children,
}: {
  finding: Finding
  children?: ComponentChildren
}): JSX.Element {
  return (
    <li class="row">
      <a class="row-main" href={link(['findings', finding.finding_id])} data-row>
        <span class="row-marks">
          <Severity severity={finding.severity} />
          <Kind detector={finding.detector} />
        </span>
        <span class="row-title">
          <Plain text={finding.title} limit={500} />
        </span>
      </a>
      <div class="row-facts">
        <a href={link(['findings'], { actor: finding.actor })}>
          <Plain text={finding.actor === '' ? finding.entity.id : finding.actor} limit={48} />
        </a>
        <span>
          {finding.event_count} {finding.event_count === 1 ? 'event' : 'events'}
        </span>
        <Ago iso={finding.last_event_at} />
        {finding.status === 'superseded' ? <span class="tag">superseded</span> : null}
        {children}
      </div>
    </li>
  )
}
