import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { ArrayMaxSize, IsArray, IsOptional, IsString, Matches, ValidateNested } from 'class-validator';
import {
  APPROVAL,
  APPROVAL_SCOPE_PATTERN,
  APPROVAL_SCOPES,
  ARTIFACT_KIND_PATTERN,
  DEFINITION_LIMITS as MAX,
} from './definition-limits.js';
import { BoundedInt, BoundedText, DisplayName, Nested } from './field-rules.js';

export class ApprovedArtifactDto {
  @ApiPropertyOptional({ pattern: ARTIFACT_KIND_PATTERN.source, default: 'file' })
  @IsOptional()
  @Matches(ARTIFACT_KIND_PATTERN, { message: 'must be 1 to 64 of a-z, 0-9, _, . and -, beginning with a letter' })
  kind?: string | null;

  @ApiProperty({ minLength: 1, maxLength: MAX.logicalKeyLength })
  @BoundedText(1, MAX.logicalKeyLength)
  logicalKey!: string;
}

export class ApprovalSubjectDto {
  @ApiPropertyOptional({ minLength: 1, maxLength: MAX.summaryLength, description: 'A sentence for the approver' })
  @IsOptional()
  @DisplayName(MAX.summaryLength)
  summary?: string | null;

  @ApiPropertyOptional({ type: [String], maxItems: MAX.paths, description: 'Files of the workdir: globs' })
  @IsOptional()
  @IsArray({ message: 'must be a list of strings' })
  @ArrayMaxSize(MAX.paths, { message: `must have at most ${MAX.paths} entries` })
  paths?: string[] | null;

  @ApiPropertyOptional({ type: () => [ApprovedArtifactDto], maxItems: MAX.subjectArtifacts })
  @IsOptional()
  @IsArray({ message: 'must be a list of artifacts' })
  @ArrayMaxSize(MAX.subjectArtifacts, { message: `must have at most ${MAX.subjectArtifacts} entries` })
  @ValidateNested({ each: true })
  @Type(() => ApprovedArtifactDto)
  artifacts?: ApprovedArtifactDto[] | null;

  @ApiPropertyOptional({ description: 'The key of a later COMMAND step with `run`' })
  @IsOptional()
  @IsString({ message: 'must be the key of a step' })
  command?: string | null;
}

export class ApprovalDto {
  @ApiProperty({ pattern: APPROVAL_SCOPE_PATTERN.source, example: APPROVAL_SCOPES[0] })
  @Matches(APPROVAL_SCOPE_PATTERN, {
    message: `must be one of ${APPROVAL_SCOPES.join(', ')}, or a name of your own of the same dotted form in at most 64 characters`,
  })
  scope!: string;

  @BoundedInt(APPROVAL.minApprovals, 'Approvals that are needed')
  minApprovals?: number | null;

  @ApiPropertyOptional({
    type: [String],
    maxItems: MAX.approverRoles,
    description: "Roles of which the approver's key must carry one",
  })
  @IsOptional()
  @IsArray({ message: 'must be a list of roles' })
  @ArrayMaxSize(MAX.approverRoles, { message: `must have at most ${MAX.approverRoles} entries` })
  approverRoles?: string[] | null;

  @BoundedInt(APPROVAL.expiresInSeconds, 'How long a decision is waited for')
  expiresInSeconds?: number | null;

  @Nested(() => ApprovalSubjectDto, 'What exactly is approved; the definition of the job by default')
  subject?: ApprovalSubjectDto | null;
}
