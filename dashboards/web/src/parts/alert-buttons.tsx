import type { JSX } from 'preact'
import { useRef, useState } from 'preact/hooks'
import { type Alert, type AlertDetail, ApiProblem, get, post } from '../api-client.ts'
import { refreshCount } from '../live.ts'
import { inert } from '../text.ts'
import { CLOSE_REASONS } from '../words.ts'

/** What can be done with an alert in its state: take it, or close it with a reason. */
export function AlertButtons({ alert }: { alert: Alert }): JSX.Element | null {
  const [isBusy, setBusy] = useState(false)
  const [said, setSaid] = useState<string>()
  const dialog = useRef<HTMLDialogElement>(null)

  const act = async (action: string, body: unknown): Promise<void> => {
    setBusy(true)
    setSaid(undefined)
    try {
      await change(alert, action, body)
      dialog.current?.close()
    } catch (thrown) {
      const isOutdated = isOutdatedProblem(thrown)
      setSaid(isOutdated ? 'Someone else changed this alert; it is shown as it is now.' : problemText(thrown))
      if (isOutdated) dialog.current?.close()
    } finally {
      setBusy(false)
      refreshCount.value += 1
    }
  }

  if (alert.status === 'closed') return null
  return (
    <div class="acts">
      {said === undefined ? null : (
        <p class="acts-said" role="status">
          {said}
        </p>
      )}
      {alert.status === 'open' ? (
        <button type="button" data-key="e" disabled={isBusy} onClick={() => void act('acknowledge', {})}>
          Acknowledge <kbd>e</kbd>
        </button>
      ) : null}
      <button type="button" data-key="c" disabled={isBusy} onClick={() => dialog.current?.showModal()}>
        Close <kbd>c</kbd>
      </button>
      <CloseDialog reference={dialog} isBusy={isBusy} onClose={(body) => void act('close', body)} />
    </div>
  )
}

const isOutdatedProblem = (thrown: unknown): boolean => thrown instanceof ApiProblem && thrown.status === 412

/** Changes the alert as it was shown. One that has only grown meanwhile, and that nobody has touched, is still the same. */
async function change(alert: Alert, action: string, body: unknown): Promise<void> {
  const path = `alerts/${encodeURIComponent(alert.alert_id)}`
  try {
    await post<Alert>(`${path}/${action}`, body, alert.revision)
  } catch (thrown) {
    if (!isOutdatedProblem(thrown)) throw thrown
    const { alert: now } = await get<AlertDetail>(path, {})
    if (now.status !== alert.status || now.acknowledged_by !== alert.acknowledged_by) throw thrown
    await post<Alert>(`${path}/${action}`, body, now.revision)
  }
}

const problemText = (thrown: unknown): string =>
  thrown instanceof ApiProblem
    ? inert([thrown.message, thrown.remedy].filter(Boolean).join(' '))
    : 'This did not work.'

function CloseDialog(props: {
  reference: { current: HTMLDialogElement | null }
  isBusy: boolean
  onClose: (body: { reason: string; note?: string }) => void
}): JSX.Element {
  const [reason, setReason] = useState('')
  const [note, setNote] = useState('')
  return (
    <dialog ref={props.reference} class="dialog" aria-label="Close the alert">
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (reason !== '') props.onClose(note.trim() === '' ? { reason } : { reason, note: note.trim() })
        }}
      >
        <h2>Close the alert</h2>
        <fieldset>
          <legend>Reason</legend>
          {CLOSE_REASONS.map((choice) => (
            <label key={choice.id} class="radio">
              <input
                type="radio"
                name="reason"
                value={choice.id}
                checked={reason === choice.id}
                onChange={() => setReason(choice.id)}
              />
              <span>
                {choice.name} <span class="dim">{choice.meaning}</span>
              </span>
            </label>
          ))}
        </fieldset>
        <label class="field">
          Note
          <textarea
            rows={3}
            maxLength={2000}
            value={note}
            onInput={(event) => setNote(event.currentTarget.value)}
          />
        </label>
        <div class="dialog-foot">
          <button type="button" onClick={() => props.reference.current?.close()}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={reason === '' || props.isBusy}>
            Close alert
          </button>
        </div>
      </form>
    </dialog>
  )
}
