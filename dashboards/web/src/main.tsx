import { render } from 'preact'
import '@preact/signals'
import { sendSessionKey } from './api-client.ts'
import { App } from './app.tsx'
import { listenToKeys } from './keyboard.ts'
import { sessionKey } from './session-key.ts'
import './styles/tokens.css'
import './styles/base.css'
import './styles/frame.css'
import './styles/parts.css'
import './styles/screens.css'
import './styles/charts.css'
import './styles/events.css'

const root = document.querySelector('#app')
if (root !== null) {
  sendSessionKey(sessionKey)
  listenToKeys()
  render(<App />, root)
}
