/** The job that OpenAPI, the docs and the tests show: it is valid, and it completes in any sandbox that has a shell. */
export const EXAMPLE_JOB = {
  name: 'count-words',
  priority: 5,
  env: { TEXT: 'the quick brown fox' },
  steps: [
    {
      key: 'count',
      name: 'Count the words',
      phase: 'EXECUTION',
      type: 'COMMAND',
      run: [
        'mkdir -p report',
        'words=$(printf "%s\\n" "$TEXT" | wc -w | tr -d " ")',
        'printf "%s words\\n" "$words" > report/words.txt',
        'echo "words=$words" >> "$RUNLEDGER_OUTPUT"',
        '',
      ].join('\n'),
    },
    {
      key: 'enough',
      name: 'More than two words',
      phase: 'VALIDATION',
      type: 'GATE',
      condition: 'int(steps.count.outputs.words) > 2',
    },
    {
      key: 'report',
      name: 'Keep the report',
      phase: 'VALIDATION',
      type: 'ARTIFACT',
      paths: ['report/*.txt'],
      artifactKind: 'report',
      logicalKey: 'word-count',
    },
    {
      key: 'tidy',
      name: 'Say how it went',
      phase: 'CLEANUP',
      type: 'COMMAND',
      run: 'echo "counted ${{ steps.count.outputs.words }} words; gate: ${{ steps.enough.status }}"\n',
      timeoutSeconds: 60,
    },
  ],
};
