select name, dialing from {{ ref('countries') }} where code = 'NA'
