/** Server-sent events as text (HTML standard, 9.2). Data is JSON and so has no line breaks of its own. */

export const RETRY_FRAME = 'retry: 3000\n\n';
export const KEEP_ALIVE_FRAME = ': keep-alive\n\n';

export function eventFrame(event: string, data: object, id?: number): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

export function commentFrame(text: string): string {
  return `: ${text.replaceAll(/[\r\n]+/g, ' ')}\n\n`;
}
