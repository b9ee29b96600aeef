/** The blob that tells standard output and error apart in the transcript of this key. */
export function streamsKey(transcriptKey: string): string {
  return `${transcriptKey}.streams`;
}
