/**
 * An actor: a mailbox in front of a pure transition. It alone changes its state, one message at a time and in order of
 * arrival, so nothing is locked and nothing races.
 */
export interface Actor<State, Message> {
  /** Handles the message now, or after those in hand when called while one is being handled. */
  send(message: Message): void;
  readonly state: State;
}

export interface Step<State, Effect> {
  readonly state: State;
  readonly effects: readonly Effect[];
}

export type Transition<State, Message, Effect> = (state: State, message: Message) => Step<State, Effect>;

/**
 * @param perform carries out an effect after the state has changed; it may send to this or any other actor
 */
export function createActor<State, Message, Effect>(
  initial: State,
  transition: Transition<State, Message, Effect>,
  perform: (effect: Effect, state: State) => void,
): Actor<State, Message> {
  let state = initial;
  let handling = false;
  const mailbox: Message[] = [];

  return {
    get state() {
      return state;
    },
    send(message) {
      mailbox.push(message);
      if (handling) return;
      handling = true;
      try {
        for (let next = mailbox.shift(); next !== undefined; next = mailbox.shift()) {
          const step = transition(state, next);
          state = step.state;
          for (const effect of step.effects) perform(effect, state);
        }
      } finally {
        handling = false;
      }
    },
  };
}
