import type { LinkTap } from './tcp-link.js';
import { WireReader, wireStrings, type WireMessage } from './postgres-wire.js';

/** One statement that a client sends, as the server gets it. */
export interface SeenStatement {
  text: string;
  /** `application_name` of its connection. */
  application: string;
}

/** Called while the bytes wait. False: neither they nor anything after them on this connection is sent on. */
export interface StatementObserver {
  /** The statement has not reached the server. */
  onSend(statement: SeenStatement): boolean;
  /** The server has answered it and everything sent with it; the client does not know yet. */
  onAnswer(statement: SeenStatement): boolean;
}

/**
 * Follows one connection between a client and PostgreSQL closely enough to know which statement goes to the server, in the simple and in
 * the extended protocol, pipelined or not, and when its answer is complete (ReadyForQuery).
 */
export function statementTap(observer: StatementObserver): LinkTap {
  return new StatementTap(observer);
}

const NOTHING = Buffer.alloc(0);

class StatementTap implements LinkTap {
  private readonly fromClient = new WireReader(true);
  private readonly fromServer = new WireReader(false);
  /** The texts of the statements that the client has prepared, by name. */
  private readonly prepared = new Map<string, string>();
  private bound = '';
  private application = '';
  private sending: SeenStatement[] = [];
  /** What was sent and not answered: a list per ReadyForQuery to come. The first is that of the login. */
  private readonly unanswered: SeenStatement[][] = [[]];
  private loggedIn = false;
  private held: Buffer[] = [];
  private stopped = false;

  constructor(private readonly observer: StatementObserver) {}

  toServer(bytes: Buffer): Buffer {
    const onward: Buffer[] = [];
    for (const message of this.fromClient.push(bytes)) {
      if (this.stopped || !this.allows(message)) break;
      onward.push(message.bytes);
    }
    return Buffer.concat(onward);
  }

  /** An answer is kept back until it is complete, so that a client which dies now has seen nothing of it. */
  toClient(bytes: Buffer): Buffer {
    const onward: Buffer[] = [];
    for (const message of this.fromServer.push(bytes)) {
      if (this.stopped) return NOTHING;
      this.held.push(message.bytes);
      if (message.type === 'Z' && !this.answered()) return NOTHING;
      if (message.type === 'Z' || !this.loggedIn || this.unanswered.length === 0)
        onward.push(...this.held.splice(0, this.held.length));
    }
    return Buffer.concat(onward);
  }

  private answered(): boolean {
    this.loggedIn = true;
    for (const statement of this.unanswered.shift() ?? []) {
      if (this.observer.onAnswer(statement)) continue;
      this.stopped = true;
      return false;
    }
    return true;
  }

  private allows({ type, body }: WireMessage): boolean {
    switch (type) {
      case '':
        this.application = startupOption(body, 'application_name');
        return true;
      case 'P': {
        const [name = '', text = ''] = wireStrings(body, 2);
        this.prepared.set(name, text);
        return true;
      }
      case 'B':
        this.bound = this.prepared.get(wireStrings(body, 2)[1] ?? '') ?? '';
        return true;
      case 'E':
        return this.send(this.bound);
      case 'Q':
        return this.send(wireStrings(body, 1)[0] ?? '') && this.sync();
      case 'S':
        return this.sync();
      default:
        return true;
    }
  }

  private send(text: string): boolean {
    const statement = { text, application: this.application };
    if (!this.observer.onSend(statement)) {
      this.stopped = true;
      return false;
    }
    this.sending.push(statement);
    return true;
  }

  private sync(): boolean {
    this.unanswered.push(this.sending);
    this.sending = [];
    return true;
  }
}

/** The startup message is a protocol number and then names and values in turn. */
function startupOption(body: Buffer, name: string): string {
  const strings = wireStrings(body.subarray(4), 64);
  const at = strings.findIndex((text, index) => index % 2 === 0 && text === name);
  return at < 0 ? '' : (strings[at + 1] ?? '');
}
