"""DuckDB queries that reproduce the figures of the report; paths are relative to the run's folder."""

from __future__ import annotations

# Read by RE2 in both Arrow and DuckDB. Credentials and port are not part of the host.
HOST_PATTERN = r"^[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?(?P<host>\[[^\]]*\]|[^/?#:@]*)"
_HOST = HOST_PATTERN.replace("?P<host>", "")
DATA = "read_parquet('data/*/*.parquet')"
_FAILED = "read_parquet('failures/*.parquet')"
_DROPPED = "read_parquet('dropped/*.parquet')"
_HOSTS = f"""select case when host ~ '^\\[' or regexp_full_match(host, '[0-9]{{1,3}}(\\.[0-9]{{1,3}}){{3}}')
              then '(IP address)' else host end as host
  from (select nullif(left(regexp_extract(lower(url),
          '{_HOST}', 1), 253), '') as host
        from {DATA})"""

QUERIES: dict[str, str] = {
    "totals": f"""select count(*) as documents, sum(length(text)) as characters
from {DATA};""",
    "waterfall": f"""select 'dropped' as outcome, reason as why, count(*) as pages
from {_DROPPED} group by all
union all
select 'failed', code, count(*)
from {_FAILED} where unit = 'page' group by all
union all
select 'kept', 'kept', count(*)
from {DATA}
order by pages desc, why;""",
    "provenance": f"""select provenance_label, split, count(*) as documents
from {DATA}
group by all order by documents desc;""",
    "evidence": f"""select e.detector, e.signal, count(distinct doc_id) as documents, count(*) as findings
from (select doc_id, unnest(evidence) as e from {DATA})
group by all order by documents desc, 1, 2;""",
    "evidence_examples": f"""select doc_id, url, provenance_label, e.detector, e.signal, e.weight, e.value,
       substring(text, e."start" + 1, e."end" - e."start") as match
from (select *, unnest(evidence) as e from {DATA})
where e.detector = 'ai_page_marks'
order by abs(e.weight) desc nulls last, abs(e.value) desc nulls last, doc_id limit 10;""",
    "languages": f"""select language, count(*) as documents, sum(length(text)) as characters
from {DATA}
group by all order by documents desc, language limit 30;""",
    "page_types": f"""select page_type, count(*) as documents, avg(extraction_confidence) as mean_confidence
from {DATA}
group by all order by documents desc, page_type;""",
    "hosts": f"""select host, count(*) as documents
from ({_HOSTS})
group by all order by documents desc, host limit 20;""",
    "top_level_domains": f"""select regexp_replace(host, '^.*\\.', '') as top_level_domain, count(*) as documents
from ({_HOSTS})
group by all order by documents desc, top_level_domain limit 20;""",
    "dates": f"""select strftime(make_timestamp(epoch_us(fetched_at)), '%Y-%m') as month, count(*) as documents
from {DATA}
group by all order by month;""",
    "lengths": f"""select case when text = '' then 0 else 2 ** floor(log2(length(text))) end as characters_from,
       count(*) as documents
from {DATA}
group by all order by 1;""",
    "duplicates": f"""select 2 ** floor(log2(cluster_size)) as pages_from, count(*) as clusters
from {DATA} where cluster_id = doc_id
group by all order by 1;""",
    "opt_outs": f"""select opt_out, count(distinct doc_id) as documents
from (select doc_id, unnest(rights.opt_out) as opt_out from {DATA})
group by all order by documents desc, opt_out;""",
    "licences": f"""select rights.licence as licence, count(*) as documents
from {DATA}
where rights.licence is not null group by all order by documents desc, licence;""",
    "failures": f"""select unit, stage, code, count(*) as count, min(source_file) as first_file
from {_FAILED}
group by all order by unit, count desc, stage, code;""",
    "sources": f"""select source_file, count(*) as pages,
       count(*) filter (outcome = 'kept') as kept,
       count(*) filter (outcome = 'dropped') as dropped,
       count(*) filter (outcome = 'failed') as failed
from (select source_file, 'kept' as outcome from {DATA}
      union all select source_file, 'dropped' from {_DROPPED}
      union all select source_file, 'failed' from {_FAILED} where unit = 'page')
group by all order by pages desc, source_file;""",
}
