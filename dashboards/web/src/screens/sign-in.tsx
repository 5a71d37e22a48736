import type { JSX } from 'preact'
import { signedOut } from '../live.ts'
import { Command } from '../parts/notice.tsx'

/** Shown when the server does not know this browser (any more). The address stays, so nothing is lost. */
export function SignInScreen(): JSX.Element {
  return (
    <div class="sign-in">
      <h1>Sign in again</h1>
      <p>
        This browser’s session has ended, or was never opened. Where gatewatch runs, print a new address and
        open it here; it works once, for ten minutes:
      </p>
      <Command text="npx gatewatch token --login" />
      <p class="dim">What you were looking at is still in the address bar.</p>
      <button type="button" class="primary" onClick={() => (signedOut.value = false)}>
        I have signed in
      </button>
    </div>
  )
}
